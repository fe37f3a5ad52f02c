"""The names of the experiments, for everyone who lists them."""

EXPERIMENTS = ("mnist-ae", "mnist-guided", "mnist-contrastive", "cifar-ae", "cifar-guided", "cifar-contrastive")
VARIANTS = ("mnist-contrastive-labels", "cifar-contrastive-labels")  # 1.2.3 with labels in its loss, for comparison
