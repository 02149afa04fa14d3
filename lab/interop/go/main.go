// A node made of official code, driven by lines of JSON: what the interop tests ask it on standard input, it answers
// on standard output, one line a question, in order.
//
// It is no part of Wattle: nothing depends on it, and it is built by the tests when a Go toolchain is there.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"tailscale.com/client/local"
	"tailscale.com/tsnet"
)

// patience is how long one question may take: the tests ask again when they expect a change.
const patience = 10 * time.Second

type question struct {
	Do      string `json:"do"`
	Address string `json:"address"`
}

type answer struct {
	Error string   `json:"error,omitempty"`
	State string   `json:"state,omitempty"`
	IPs   []string `json:"ips,omitempty"`
	Body  string   `json:"body,omitempty"`
	Node  string   `json:"node,omitempty"`
	User  string   `json:"user,omitempty"`
	Tags  []string `json:"tags,omitempty"`
	Peers []peer   `json:"peers,omitempty"`
}

type peer struct {
	Name    string   `json:"name"`
	IPs     []string `json:"ips"`
	Online  bool     `json:"online"`
	Expired bool     `json:"expired"`
	Direct  string   `json:"direct,omitempty"`
}

func main() {
	control := flag.String("control", "", "URL of the coordination server")
	key := flag.String("key", "", "auth key")
	hostname := flag.String("hostname", "", "name to ask for")
	dir := flag.String("dir", "", "folder for state")
	socket := flag.String("up", "", "bring up the daemon behind this socket, with SSH, and end")
	bare := flag.Bool("bare", false, "bring the daemon up with neither SSH nor names nor firewall rules")
	many := flag.Bool("crowd", false, "be many nodes, which are named on standard input")
	flag.Parse()
	if *socket != "" {
		if err := bringUp(*socket, *control, *key, *hostname, *bare); err != nil {
			log.Fatal(err)
		}
		return
	}
	if *many {
		runCrowd(*control, *dir)
		return
	}

	server := &tsnet.Server{Dir: *dir, Hostname: *hostname, AuthKey: *key, ControlURL: *control}
	if os.Getenv("WATTLE_INTEROP_VERBOSE") != "" {
		server.Logf = log.Printf
	}
	defer server.Close()
	answers := json.NewEncoder(os.Stdout)
	first, client, err := up(server)
	if err != nil {
		answers.Encode(answer{Error: err.Error()})
		os.Exit(1)
	}
	go serve(server, client)
	answers.Encode(first)

	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			answers.Encode(answer{Error: err.Error()})
			continue
		}
		given, err := reply(server, client, asked)
		if err != nil {
			given.Error = err.Error()
		}
		answers.Encode(given)
	}
}

func up(server *tsnet.Server) (answer, *local.Client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	status, err := server.Up(ctx)
	if err != nil {
		return answer{}, nil, err
	}
	client, err := server.LocalClient()
	return answer{State: status.BackendState, IPs: texts(status.TailscaleIPs)}, client, err
}

// serve answers every request with who asked, as this node knows it.
func serve(server *tsnet.Server, client *local.Client) {
	listener, err := server.Listen("tcp", ":80")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := client.WhoIs(r.Context(), r.RemoteAddr)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "hello %s", who.Node.ComputedName)
	})))
}

func reply(server *tsnet.Server, client *local.Client, asked question) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch asked.Do {
	case "status":
		status, err := client.Status(ctx)
		if err != nil {
			return answer{}, err
		}
		given := answer{State: status.BackendState, IPs: texts(status.TailscaleIPs)}
		for _, known := range status.Peer {
			given.Peers = append(given.Peers, peer{
				Name: known.HostName, IPs: texts(known.TailscaleIPs),
				Online: known.Online, Expired: known.Expired, Direct: known.CurAddr,
			})
		}
		return given, nil
	case "get":
		request, err := http.NewRequestWithContext(ctx, "GET", asked.Address, nil)
		if err != nil {
			return answer{}, err
		}
		response, err := server.HTTPClient().Do(request)
		if err != nil {
			return answer{}, err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		return answer{Body: string(body)}, err
	case "whois":
		who, err := client.WhoIs(ctx, net.JoinHostPort(asked.Address, "1"))
		if err != nil {
			return answer{}, err
		}
		return answer{Node: who.Node.ComputedName, User: who.UserProfile.LoginName, Tags: who.Node.Tags}, nil
	default:
		return answer{}, fmt.Errorf("unknown question %q", asked.Do)
	}
}

func texts[T fmt.Stringer](values []T) []string {
	var all []string
	for _, value := range values {
		all = append(all, value.String())
	}
	return all
}
