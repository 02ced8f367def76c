// Package pgcluster starts a throw-away PostgreSQL server: Debian's binaries, a folder of
// its own under the system's temporary one, a free port of the loopback, trust for whoever
// asks. Tests, journeys and measurements share it; the portal never imports it.
package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is a running server. It ends with the process that started it at the latest.
type Cluster struct {
	port  int
	hold  *os.File // the server stops when this end of the pipe is closed
	read  *os.File // the other end, for a server that is started again
	ended chan struct{}

	bin, data, settings string
	as                  *syscall.Credential
}

// The server must not outlive the test binary, however that ends. A shell holds it: it
// waits for the end of its standard input, which the kernel closes with this process.
const supervise = `trap '' INT TERM HUP
"$1/initdb" -D "$2" -U countersign --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$2.log" 2>&1 || exit 1
"$1/postgres" -D "$2" -c listen_addresses=127.0.0.1 -c port="$3" -c unix_socket_directories= \
	-c max_connections=200 -c shared_buffers=64MB $4 >>"$2.log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
cd / && rm -rf "$(dirname "$2")"`

// Start makes and starts a cluster. Careless gives up durability for speed, which is right
// for tests and wrong for measuring.
func Start(careless bool) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "countersign-pg-")
	if err != nil {
		return nil, err
	}
	var as *syscall.Credential
	if os.Getuid() == 0 { // the server refuses to run as root
		if as, err = serverUser(dir); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	settings := ""
	if careless {
		settings = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
	}
	cmd := exec.Command("sh", "-c", supervise, "sh", bin, data, strconv.Itoa(port), settings)
	cmd.Dir, cmd.Stdin = dir, r
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &Cluster{port: port, hold: w, read: r, ended: make(chan struct{}), bin: bin, data: data, settings: settings, as: as}
	go func() {
		_ = cmd.Wait()
		close(c.ended)
	}()
	if err := c.ready(data + ".log"); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close stops the server and removes its files.
func (c *Cluster) Close() error {
	_ = c.hold.Close()
	_ = c.read.Close()
	select {
	case <-c.ended:
		return nil
	case <-time.After(20 * time.Second):
		return errors.New("the PostgreSQL server did not stop in 20 seconds")
	}
}

// binaries finds the newest installed server.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.Sort(found)
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("no PostgreSQL server is installed")
}

func serverUser(dir string) (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}

func freePort() (int, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// URL is the address of a database of this cluster.
func (c *Cluster) URL(name string) string {
	return fmt.Sprintf("postgres://countersign@127.0.0.1:%d/%s?sslmode=disable", c.port, name)
}

// ready waits until the server answers.
func (c *Cluster) ready(log string) error {
	deadline := time.After(60 * time.Second)
	for {
		if c.Exec("SELECT 1") == nil {
			return nil
		}
		select {
		case <-c.ended:
			text, _ := os.ReadFile(log)
			return fmt.Errorf("the server ended: %s", text)
		case <-deadline:
			return errors.New("the server did not answer within a minute")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Exec runs one statement as the owner of everything, in half a minute at most.
func (c *Cluster) Exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
