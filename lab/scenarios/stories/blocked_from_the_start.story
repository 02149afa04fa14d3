# Data never passes where pings do: nothing is lost at any time.
site home nat ei/apd
node a in home
node b open
at 1s block a data
at 10s talk a b for 60s every 500ms
at 12s expect flows a b
at 40s expect flows a b
at 69s expect relayed a b
until 70s
