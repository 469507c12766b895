"""The few Lua scripts that make several Redis commands one. KEYS[2] is the lease of KEYS[1].

SET comes before DEL: once a script has written, Redis does not refuse it for want of memory.
"""

WRITE = """
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return 1
"""
"""Store ARGV[1] for ARGV[2] milliseconds, and break the lease."""

SETTLE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if ARGV[3] then redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2]) end
redis.call('DEL', KEYS[2])
return 1
"""
"""Give back the lease ARGV[1]; if it was still held, store ARGV[3] for ARGV[2] milliseconds."""

COUNT = """
redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {redis.call('GET', KEYS[1]), left}
"""
"""Add ARGV[1]; a counter without an end gets ARGV[2] milliseconds. The count comes back as text:
Lua's numbers have 53 bits."""
