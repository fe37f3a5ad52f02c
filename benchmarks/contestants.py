"""Contestants in processes of their own, timed in turns: a slow minute of the machine then hits all alike."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from multiprocessing.connection import Connection

# What can be timed: name → a generator that gets ready, yields once, works, and yields how many things (images, views, …) it did.
Tasks = dict[str, Callable[[], Iterator]]


def seconds(task: Callable[[], Iterator]) -> float:
    """Seconds a thing, of one go at `task`; the clock starts at its first `yield`."""
    going = task()
    next(going)
    start = time.perf_counter()
    done = next(going)
    return (time.perf_counter() - start) / done


class Contestant:
    """A process that makes its tasks once, then times them on demand. Memory policy and threads are its own."""

    def __init__(self, prepare: Callable[..., Tasks], *arguments):
        context = multiprocessing.get_context("spawn")  # nothing is inherited, neither threads nor malloc's settings
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, prepare, arguments))
        self.process.start()
        theirs.close()
        self.tasks: list[str] = self.connection.recv()

    def time(self, task: str) -> float:
        """Seconds a thing, of one go. Raises EOFError where the process died; its own message stands above."""
        self.connection.send(task)
        return self.connection.recv()

    def __enter__(self) -> "Contestant":
        return self

    def __exit__(self, *problem) -> None:
        self.connection.close()
        self.process.join()


def _serve(connection: Connection, prepare: Callable[..., Tasks], arguments: tuple) -> None:
    tasks = prepare(*arguments)
    connection.send(list(tasks))
    while True:
        try:
            task = connection.recv()
        except EOFError:  # the other end is closed: all is measured
            return
        connection.send(seconds(tasks[task]))


def compare(makers: Mapping[str, tuple], repeats: int) -> dict[str, dict[str, list[float]]]:
    """Seconds a thing in each turn: contestant → task → seconds. `makers`: name → (prepare, *arguments).

    Each task is done once to warm up, then `repeats` times, the contestants taking turns.
    """
    with ExitStack() as stack:
        contestants = {name: stack.enter_context(Contestant(*maker)) for name, maker in makers.items()}
        turns = [(name, task) for name, contestant in contestants.items() for task in contestant.tasks]
        found = {name: {task: [] for task in contestant.tasks} for name, contestant in contestants.items()}
        for repeat in range(repeats + 1):
            for name, task in turns:
                spent = contestants[name].time(task)
                if repeat:
                    found[name][task].append(spent)
    return found
