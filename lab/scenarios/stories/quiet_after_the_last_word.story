# After the last word all goes quiet: no heartbeats, no probes.
site home nat ei/apd
site work nat ei/apd
node a in home
node b in work
node c open
at 10s talk a b for 20s every 250ms
at 10s talk b c for 20s every 250ms
at 120s expect silent
at 600s expect silent
at 601s talk a b for 10s every 250ms
at 604s expect flows a b
at 610s expect direct a b
until 620s
