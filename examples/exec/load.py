#!/usr/bin/env python3
"""A sensor in Python for baudbridge (adapter = "exec"): load, memory and uptime of this machine.

    command = ["/path/to/load.py", "10"]      seconds between readings

Lines printed without a pause between them are one record. What is written to standard error goes to the log. Only the
standard library is used.
"""
import json
import sys
import time


def reading(point, value, unit=""):
    """Numbers, bools in lower case, texts in quotation marks: JSON has the form of the line protocol."""
    print("reading", point, json.dumps(value), unit)


def fault(point, why):
    print("fault", point, why)


def memory_available():
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    raise ValueError("/proc/meminfo has no MemAvailable")


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    print("ready", flush=True)
    while True:
        with open("/proc/loadavg") as file:
            words = file.read().split()
        reading("load_1min", float(words[0]))
        reading("processes", int(words[3].split("/")[1]))
        try:
            reading("memory_available", memory_available(), "B")
        except (OSError, ValueError) as error:
            fault("memory_available", error)
        with open("/proc/uptime") as file:
            reading("uptime", float(file.read().split()[0]), "s")
        reading("busy", float(words[0]) > 1.0)
        # Standard output is a pipe: without this, Python buffers many lines.
        sys.stdout.flush()
        time.sleep(seconds)


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        pass
