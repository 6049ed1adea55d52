"""pydicts: dictionaries of lists of dictionaries, of which every second is kept. usage: pydicts.py [COUNT]"""
import sys
import time

count = int(sys.argv[1]) if len(sys.argv) > 1 else 250000
wall, cpu, kept = time.monotonic_ns(), time.process_time_ns(), []
for i in range(count):
    order = {"number": i, "items": [{"part": j, "price": i * j} for j in range(8)]}
    if i % 2:
        kept.append(order)
wall, cpu = time.monotonic_ns() - wall, time.process_time_ns() - cpu
with open("/proc/self/smaps_rollup") as f:
    rss = next(line.split()[1] for line in f if line.startswith("Rss:"))
print(f"BENCH wall={wall / count} cpu={cpu / count} rss={rss}")
