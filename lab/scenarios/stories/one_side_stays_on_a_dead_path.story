# Seed 1188: b refuses a path on which sealed packets do not pass; a must not go on with it because pings do.
node a open
node b open
at 9s tell b a for 62s every 500ms
at 10s talk a b for 61s every 1s
at 15s block b wireguard
at 26s policy a>b b>a
at 40s expect flows a b
at 70s expect flows a b
until 71s
