// The official daemon, brought up as its command line would.
package main

import (
	"context"
	"fmt"
	"time"

	"tailscale.com/client/local"
	"tailscale.com/ipn"
)

// bringUp joins the daemon behind a socket as an SSH server, and says its first address.
func bringUp(socket, control, key, hostname string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	client := &local.Client{Socket: socket, UseSocketOnly: true}
	prefs := ipn.NewPrefs()
	prefs.ControlURL, prefs.Hostname, prefs.WantRunning, prefs.RunSSH = control, hostname, true, true
	if err := client.Start(ctx, ipn.Options{AuthKey: key, UpdatePrefs: prefs}); err != nil {
		return err
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
