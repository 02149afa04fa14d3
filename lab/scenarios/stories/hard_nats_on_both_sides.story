# Nothing but a relay works, and nothing is lost meanwhile.
site home nat apd/apd ports random
site work nat apd/apd ports random
node a in home
node b in work
at 10s talk a b for 50s
at 15s expect relayed a b
at 59s expect flows a b
until 60s
