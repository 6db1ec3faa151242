"""The three workloads of the OOPSLA 2024 paper on Cedar, made again from their description.

Each is a policy in the words of every engine that is compared, and random stores of any size. Their truth
is a list of facts; what other engines are given is made of these facts.
"""
