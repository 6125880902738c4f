-- Appends entries of one field, trims, and lengthens the life. ARGV: entries kept (about), milliseconds, payload…
for at = 3, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[at])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
