"""How deep a recursion goes, decorated against plain."""

import sys

from subject import SUBJECT, say

SUBJECT.configure()
sys.setrecursionlimit(1000)


def measure(decorate):
    deepest = 0

    def down(level):
        nonlocal deepest
        deepest = level
        again(level + 1)

    again = decorate(down)
    try:
        again(1)
    except RecursionError as error:
        return deepest, type(error).__name__
    return deepest, "nothing"


plain, _ = measure(lambda function: function)
decorated, raised = measure(SUBJECT.traced)
say(plain=plain, decorated=decorated, raised=raised)
