// Many official nodes in one process: members of a tailnet whose policy is put to the test, driven by lines of JSON like
// the single node.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"tailscale.com/ipn"
	"tailscale.com/tsnet"
)

// reachPatience is how long one member tries to reach another: what is not allowed is dropped without an answer.
const reachPatience = 2500 * time.Millisecond

type crowdQuestion struct {
	Do      string   `json:"do"`
	Members []invite `json:"members"`
	Port    int      `json:"port"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	User    string   `json:"user"`
	// How many packet rules the awaited policy comes to, for "await".
	Rules int `json:"rules"`
}

type invite struct {
	Name   string   `json:"name"`
	Key    string   `json:"key"`
	Routes []string `json:"routes"`
}

type crowdAnswer struct {
	Error string              `json:"error,omitempty"`
	IPs   map[string][]string `json:"ips,omitempty"`
	// Who reaches, or sees, whom.
	Pairs map[string][]string `json:"pairs,omitempty"`
	// Milliseconds since the epoch at which each member obeyed the awaited rules.
	Times  map[string]int64 `json:"times,omitempty"`
	Output string           `json:"output,omitempty"`
}

type member struct {
	name   string
	server *tsnet.Server
	ips    []netip.Addr
}

type crowd struct {
	control string
	dir     string
	mu      sync.Mutex
	members map[string]*member
	// Filled while a policy is awaited.
	awaited int
	times   map[string]int64
}

func runCrowd(control, dir string) {
	c := &crowd{control: control, dir: dir, members: map[string]*member{}}
	answers := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var asked crowdQuestion
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			answers.Encode(crowdAnswer{Error: err.Error()})
			continue
		}
		given, err := c.reply(asked)
		if err != nil {
			given.Error = err.Error()
		}
		answers.Encode(given)
	}
}

func (c *crowd) reply(asked crowdQuestion) (crowdAnswer, error) {
	switch asked.Do {
	case "join":
		return c.join(asked.Members)
	case "reach":
		return crowdAnswer{Pairs: c.reach(asked.Port)}, nil
	case "peers":
		return c.peers()
	case "await":
		c.mu.Lock()
		c.awaited, c.times = asked.Rules, map[string]int64{}
		c.mu.Unlock()
		return crowdAnswer{}, nil
	case "times":
		c.mu.Lock()
		defer c.mu.Unlock()
		times := map[string]int64{}
		for name, at := range c.times {
			times[name] = at
		}
		return crowdAnswer{Times: times}, nil
	case "ssh":
		return c.ssh(asked)
	case "leave":
		return c.leave(asked.From)
	case "caps":
		return c.caps(asked)
	default:
		return crowdAnswer{}, fmt.Errorf("unknown question %q", asked.Do)
	}
}

// join brings members up, several at a time: all at once would measure the machine, not the server.
func (c *crowd) join(invites []invite) (crowdAnswer, error) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, 16)
	errs := make(chan error, len(invites))
	for _, invite := range invites {
		wait.Add(1)
		go func() {
			defer wait.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			if err := c.joinOne(invite); err != nil {
				errs <- fmt.Errorf("%s: %w", invite.Name, err)
			}
		}()
	}
	wait.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return crowdAnswer{}, err
	}
	ips := map[string][]string{}
	for name, member := range c.members {
		ips[name] = texts(member.ips)
	}
	return crowdAnswer{IPs: ips}, nil
}

// leave ends a member as if its machine were switched off.
func (c *crowd) leave(name string) (crowdAnswer, error) {
	c.mu.Lock()
	gone := c.members[name]
	delete(c.members, name)
	c.mu.Unlock()
	if gone == nil {
		return crowdAnswer{}, fmt.Errorf("no member %q", name)
	}
	return crowdAnswer{}, gone.server.Close()
}

func (c *crowd) joinOne(invite invite) error {
	dir := filepath.Join(c.dir, invite.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	server := &tsnet.Server{Dir: dir, Hostname: invite.Name, AuthKey: invite.Key, ControlURL: c.control}
	verbose := os.Getenv("WATTLE_INTEROP_VERBOSE") != ""
	server.Logf = func(format string, args ...any) {
		// The node tells of its packet filter nowhere else without being asked.
		if line := fmt.Sprintf(format, args...); strings.Contains(line, "netmap packet filter: ") {
			c.note(invite.Name, line)
		}
		if verbose {
			log.Printf(format, args...)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 120*time.Second)
	defer cancel()
	status, err := server.Up(ctx)
	if err != nil {
		return err
	}
	joined := &member{name: invite.Name, server: server, ips: status.TailscaleIPs}
	client, err := server.LocalClient()
	if err != nil {
		return err
	}
	if len(invite.Routes) > 0 {
		masked := &ipn.MaskedPrefs{AdvertiseRoutesSet: true}
		for _, route := range invite.Routes {
			masked.AdvertiseRoutes = append(masked.AdvertiseRoutes, netip.MustParsePrefix(route))
		}
		if _, err := client.EditPrefs(ctx, masked); err != nil {
			return err
		}
	}
	for _, port := range []string{":80", ":8080"} {
		listener, err := server.Listen("tcp", port)
		if err != nil {
			return err
		}
		go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, invite.Name)
		}))
	}
	c.mu.Lock()
	c.members[invite.Name] = joined
	c.mu.Unlock()
	return nil
}

// note remembers when a member first obeys as many rules as the awaited policy has.
func (c *crowd) note(name, line string) {
	now := time.Now().UnixMilli()
	_, count, _ := strings.Cut(line, "netmap packet filter: ")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.awaited != 0 && c.times[name] == 0 && strings.HasPrefix(count, fmt.Sprintf("%d filters", c.awaited)) {
		c.times[name] = now
	}
}

func (c *crowd) all() []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*member
	for _, m := range c.members {
		all = append(all, m)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all
}

// reach lets every member try every other one.
func (c *crowd) reach(port int) map[string][]string {
	all := c.all()
	pairs := map[string][]string{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, from := range all {
		pairs[from.name] = []string{}
		for _, to := range all {
			if from == to {
				continue
			}
			wait.Add(1)
			go func() {
				defer wait.Done()
				if from.gets(to, port) {
					mu.Lock()
					pairs[from.name] = append(pairs[from.name], to.name)
					mu.Unlock()
				}
			}()
		}
	}
	wait.Wait()
	for _, reached := range pairs {
		sort.Strings(reached)
	}
	return pairs
}

func (m *member) gets(to *member, port int) bool {
	ctx, cancel := context.WithTimeout(context.Background(), reachPatience)
	defer cancel()
	conn, err := m.server.Dial(ctx, "tcp", net.JoinHostPort(to.ips[0].String(), fmt.Sprint(port)))
	if err != nil {
		return false
	}
	defer conn.Close()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}}
	request, err := http.NewRequestWithContext(ctx, "GET", "http://"+to.name+"/", nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return err == nil && string(body) == to.name
}

// peers says whom each member sees, and the routes that it sees through them as "name route".
func (c *crowd) peers() (crowdAnswer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	pairs := map[string][]string{}
	for _, m := range c.all() {
		client, err := m.server.LocalClient()
		if err != nil {
			return crowdAnswer{}, err
		}
		status, err := client.Status(ctx)
		if err != nil {
			return crowdAnswer{}, err
		}
		seen := []string{}
		for _, peer := range status.Peer {
			seen = append(seen, peer.HostName)
			if peer.AllowedIPs != nil {
				for _, prefix := range peer.AllowedIPs.All() {
					if !prefix.IsSingleIP() {
						seen = append(seen, peer.HostName+" "+prefix.String())
					}
				}
			}
		}
		sort.Strings(seen)
		pairs[m.name] = seen
	}
	return crowdAnswer{Pairs: pairs}, nil
}

// caps says which capabilities one member knows another to have on it.
func (c *crowd) caps(asked crowdQuestion) (crowdAnswer, error) {
	c.mu.Lock()
	from, to := c.members[asked.From], c.members[asked.To]
	c.mu.Unlock()
	if from == nil || to == nil {
		return crowdAnswer{}, fmt.Errorf("no member %q or %q", asked.From, asked.To)
	}
	client, err := to.server.LocalClient()
	if err != nil {
		return crowdAnswer{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	who, err := client.WhoIs(ctx, net.JoinHostPort(from.ips[0].String(), "1"))
	if err != nil {
		return crowdAnswer{}, err
	}
	held := []string{}
	for name, values := range who.CapMap {
		held = append(held, fmt.Sprintf("%s %s", name, values))
	}
	sort.Strings(held)
	return crowdAnswer{Pairs: map[string][]string{asked.From: held}}, nil
}

// ssh runs a command on another node as the policy lets it: official SSH servers know callers by their address.
func (c *crowd) ssh(asked crowdQuestion) (crowdAnswer, error) {
	c.mu.Lock()
	from := c.members[asked.From]
	c.mu.Unlock()
	if from == nil {
		return crowdAnswer{}, fmt.Errorf("no member %q", asked.From)
	}
	// Where the policy wants a check, somebody has to let the caller in first.
	const patience = 45 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := from.server.Dial(ctx, "tcp", net.JoinHostPort(asked.To, "22"))
	if err != nil {
		return crowdAnswer{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	var banner string
	client, channels, requests, err := ssh.NewClientConn(conn, asked.To, &ssh.ClientConfig{
		User:            asked.User,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		BannerCallback:  func(message string) error { banner += message; return nil },
	})
	if err != nil {
		return crowdAnswer{Output: banner}, err
	}
	defer client.Close()
	session, err := ssh.NewClient(client, channels, requests).NewSession()
	if err != nil {
		return crowdAnswer{Output: banner}, err
	}
	output, err := session.CombinedOutput("id -un")
	return crowdAnswer{Output: banner + string(output)}, err
}
