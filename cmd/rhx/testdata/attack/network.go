package main

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// kinds are sockets that are not what a wall around TCP knows.
func kinds(t *target) (out []attempt) {
	for name, s := range map[string][3]int{
		"MPTCP":       {unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP},
		"SCTP":        {unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP},
		"SMC":         {unix.AF_SMC, unix.SOCK_STREAM, 0},
		"SMC as INET": {unix.AF_INET, unix.SOCK_STREAM, 256},
	} {
		out = append(out, attempt{"connection by " + name, func() error {
			fd, err := unix.Socket(s[0], s[1], s[2])
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Connect(fd, address(t.TCP[0]))
		}})
	}
	out = append(out, attempt{"connection by data (fast open)", func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, address(t.TCP[0]))
	}})
	for name, s := range map[string][2]int{
		"VSOCK": {unix.AF_VSOCK, unix.SOCK_STREAM}, "ALG": {unix.AF_ALG, unix.SOCK_SEQPACKET}, "TIPC": {unix.AF_TIPC, unix.SOCK_STREAM},
		"RDS": {unix.AF_RDS, unix.SOCK_SEQPACKET}, "QIPCRTR": {unix.AF_QIPCRTR, unix.SOCK_DGRAM}, "XDP": {unix.AF_XDP, unix.SOCK_RAW},
	} {
		out = append(out, attempt{"a socket of " + name, func() error {
			// The kernel answers otherwise where it has this family, and is asked for more.
			fd, err := unix.Socket(s[0], s[1], 0)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}})
	}
	return append(out, attempt{"a pair of sockets", func() error {
		// Of no family but that of Unix; the kernel has no pairs of this one, and is not asked.
		if _, err := unix.Socketpair(unix.AF_INET, unix.SOCK_STREAM, 0); errors.Is(err, unix.EAFNOSUPPORT) {
			return err
		}
		return nil
	}})
}

// address is one of IPv4.
func address(text string) unix.Sockaddr {
	a := netip.MustParseAddrPort(text)
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

func network(t *target) (out []attempt) {
	out = kinds(t)
	dial := func(network, address string) func() error {
		return func() error {
			c, err := net.DialTimeout(network, address, 5*time.Second)
			if err == nil {
				c.Close()
			}
			return err
		}
	}
	for _, s := range t.Sockets {
		out = append(out, attempt{"socket " + s, dial("unix", s)})
	}
	out = append(out, attempt{"abstract socket", dial("unix", "@"+t.Abstract)})
	for _, a := range t.TCP {
		out = append(out, attempt{"TCP " + a, dial("tcp", a)})
	}
	for i, a := range t.UDP {
		out = append(out, attempt{"UDP " + strconv.Itoa(i), func() error {
			c, err := net.Dial("udp", a)
			if err != nil {
				return err
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := c.Write([]byte("x")); err != nil {
				return err
			}
			_, err = c.Read(make([]byte, 1))
			return err
		}})
	}
	return append(out, attempt{"interfaces", func() error {
		all, err := net.Interfaces()
		if err != nil {
			return err
		}
		for _, i := range all {
			if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
				return nil
			}
		}
		return errEmpty
	}}, attempt{"raw socket", func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}})
}
