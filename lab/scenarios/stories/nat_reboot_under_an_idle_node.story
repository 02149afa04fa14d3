# Seed 1244: a NAT restarts while its node says nothing. Its relay connection is dead without anybody knowing; it must be
# reachable again once that shows.
node b open
site home nat ad/apd ports sequential
node c in home
at 18s rebind home
at 29s tell b c for 151s every 500ms
at 179s expect flows b c
until 180s
