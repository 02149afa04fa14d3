// The official daemon, brought up as its command line would.
package main

import (
	"context"
	"fmt"
	"time"

	"tailscale.com/client/local"
	"tailscale.com/ipn"
	"tailscale.com/types/preftype"
)

// bringUp joins the daemon behind a socket, and says its first address. It is an SSH server, or bare: with neither names
// nor firewall rules of its own, since the network is the thing under test.
func bringUp(socket, control, key, hostname string, bare bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	client := &local.Client{Socket: socket, UseSocketOnly: true}
	prefs := ipn.NewPrefs()
	prefs.ControlURL, prefs.Hostname, prefs.WantRunning, prefs.RunSSH = control, hostname, true, true
	if bare {
		prefs.RunSSH, prefs.CorpDNS, prefs.NetfilterMode = false, false, preftype.NetfilterOff
	}
	if err := client.Start(ctx, ipn.Options{AuthKey: key, UpdatePrefs: prefs}); err != nil {
		return err
	}
	if bare {
		prefs.RunSSH, prefs.CorpDNS, prefs.NetfilterMode = false, false, preftype.NetfilterOff
	}
	if err := client.StartLoginInteractive(ctx); err != nil {
		return err
	}
	for {
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		if status.BackendState == "Running" && len(status.TailscaleIPs) > 0 {
			fmt.Println(status.TailscaleIPs[0])
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the daemon is still %s", status.BackendState)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
