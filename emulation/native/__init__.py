"""The whole stack on this machine, on real engines, without Docker.

ports       where each service listens; all derive from one base
engines     fetches the Java engines and Redis, as locked
not_root    lets PostgreSQL run where we are root
arrivals    shows how far those have come
preflight   what must hold before anything starts
faulty      what is different where everything may fail on purpose
services    what runs, how, and after what
probes      whether a service really works
supervisor  starts, watches, restarts
reaper      outlives the supervisor by a moment, to leave nothing behind
stack       the same from outside: up, down, status
logs        one merged, coloured stream
screen      what people see
"""
