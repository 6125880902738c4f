-- This server's clock, in microseconds. Apart from the arithmetic, so that a test can bring its own time.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
