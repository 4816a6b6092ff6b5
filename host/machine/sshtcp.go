package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/nameservice"
)

// dialTCP connects to a host, as often as ConnectionAttempts says, one second apart.
func dialTCP(ctx context.Context, c *sshConfig) (net.Conn, error) {
	for attempt := 1; ; attempt++ {
		conn, err := dialOnce(ctx, c)
		if err == nil || ctx.Err() != nil || attempt >= c.attempts {
			return conn, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func dialOnce(ctx context.Context, c *sshConfig) (net.Conn, error) {
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := dialFrom(within, c)
	if err == nil {
		return conn, nil
	}
	var lookup *net.DNSError
	var op *net.OpError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &lookup) && (lookup.IsTimeout || within.Err() != nil):
		return nil, fmt.Errorf("the address of %s was not found within %v: %w", c.host, c.timeout, os.ErrDeadlineExceeded)
	case errors.Is(err, context.DeadlineExceeded), within.Err() != nil:
		return nil, noAnswer(c)
	case errors.As(err, &lookup):
		return nil, fault.WithHint(fmt.Errorf("there is no host %s: %w", c.host, ErrNoHost), "check the name; ssh_config can give it a HostName")
	case errors.As(err, &op):
		return nil, fmt.Errorf("connect to %s: %w", c.address(), fault.Cause(op.Err))
	}
	return nil, err
}

// dialFrom connects, from the address that BindAddress or BindInterface says.
func dialFrom(ctx context.Context, c *sshConfig) (net.Conn, error) {
	dialer := new(net.Dialer)
	if c.noTCPKeepAlive {
		dialer.KeepAlive = -1
	}
	if c.bindAddress == "" && c.bindInterface == "" {
		return nameservice.DialContext(dialer)(ctx, c.family, c.address())
	}
	froms, err := c.localAddresses(ctx)
	if err != nil {
		return nil, err
	}
	tos, err := nameservice.Addresses(ctx, "ip"+c.family[len("tcp"):], c.host)
	if err != nil {
		return nil, err
	}
	err = fmt.Errorf("no address of %s is of the family of %s", c.host, c.bound())
	for _, to := range tos {
		for _, from := range froms {
			if (from.To4() != nil) != to.Is4() {
				continue
			}
			dialer.LocalAddr = &net.TCPAddr{IP: from}
			conn, dialErr := dialer.DialContext(ctx, c.family, net.JoinHostPort(to.String(), c.port))
			if dialErr == nil {
				return conn, nil
			}
			err = dialErr
			break // as ssh does: the first address of the family
		}
	}
	return nil, err
}

// bound names the setting that says from where to connect.
func (c *sshConfig) bound() string {
	if c.bindAddress != "" {
		return "BindAddress " + printable(c.bindAddress, 100)
	}
	return "BindInterface " + printable(c.bindInterface, 100)
}

// localAddresses returns the addresses to connect from. BindAddress counts more
// than BindInterface, as in OpenSSH.
func (c *sshConfig) localAddresses(ctx context.Context) ([]net.IP, error) {
	var ips []net.IP
	if c.bindAddress != "" {
		found, err := nameservice.Addresses(ctx, "ip", c.bindAddress)
		if err != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("%s: %w", c.bound(), ErrNoHost)
		}
		for _, a := range found {
			ips = append(ips, a.AsSlice())
		}
		return ips, err
	}
	i, err := net.InterfaceByName(c.bindInterface)
	if err != nil {
		return nil, fmt.Errorf("%s: there is no such interface", c.bound())
	}
	addresses, err := i.Addrs()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.bound(), fault.Cause(err))
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			ips = append(ips, n.IP)
		}
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("%s: the interface has no address", c.bound())
	}
	return ips, nil
}

// address is the host and port to connect to.
func (c *sshConfig) address() string { return net.JoinHostPort(c.host, c.port) }

// ErrNoHost is in the error of a host whose name stands for no address.
var ErrNoHost = errors.New("its name cannot be resolved")

func noAnswer(c *sshConfig) error {
	return fault.Mark(fmt.Errorf("no answer from %s within %v", c.address(), c.timeout), os.ErrDeadlineExceeded)
}
