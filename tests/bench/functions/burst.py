import os
import time


def handle(event):
    time.sleep(1)
    return str(os.getpid())
