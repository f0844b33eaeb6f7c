"""Faults on purpose: a network that misbehaves, crash points, clocks that are wrong.

toxics      what can be wrong with a connection
framing     where requests begin and end
answers     5xx as each AWS service words them
link        one connection on its way, and its toxics
pipe        one direction of it
target      one port that is forwarded, its toxics, what they did
control     toxics come and go over HTTP
points      where a process can be made to end
crash       ends it there
clock       clocks that are wrong
run         starts a process that may crash
client      all of it from Python
"""
