# What a policy forbids is not delivered any more, what it allows again is.
node a open
node b open
node c open
policy a>b
at 10s talk a b for 100s every 250ms
at 10s talk a c for 100s every 250ms
at 30s expect flows a b
at 40s policy a>c
at 50s expect flows a c
at 70s policy b>a
at 80s expect flows b a
at 90s remove b
until 110s
