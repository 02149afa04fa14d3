# UDP is blocked at both, each region is somebody's home, and one region dies: both meet in the other.
site hotel only443
site plane only443
node a in hotel
node b in plane
at 10s talk a b for 80s every 200ms
at 30s relay 1 down
at 60s expect flows a b
at 60s expect flows b a
until 90s
