package dbtest

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
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"countersign/db"
)

// cluster is a PostgreSQL server of this test binary's own, with a migrated template.
type cluster struct {
	port  int
	hold  *os.File // the server stops when this end of the pipe is closed, by exit at the latest
	count atomic.Int64
}

// Postgres is a fresh migrated PostgreSQL database with a job queue, dropped with the test.
func Postgres(t testing.TB, change ...func(*db.Config)) *db.DB {
	t.Helper()
	return open(t, PostgresURL(t), change)
}

// PostgresURL is the address of a fresh migrated database, for tests that open it more
// than once. It is dropped with the test.
func PostgresURL(t testing.TB) string {
	t.Helper()
	c, err := server()
	require.NoError(t, err, "start PostgreSQL; `make setup` installs what tests need")
	name := "test_" + strconv.FormatInt(c.count.Add(1), 10)
	require.NoError(t, c.exec("CREATE DATABASE "+name+" TEMPLATE template_countersign"))
	t.Cleanup(func() { _ = c.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") })
	return c.url(name)
}

var server = sync.OnceValues(startCluster)

// The server must not outlive the test binary, however that ends. A shell holds it: it
// waits for the end of its standard input, which the kernel closes with this process.
const supervise = `trap '' INT TERM HUP
"$1/initdb" -D "$2" -U countersign --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$2.log" 2>&1 || exit 1
"$1/postgres" -D "$2" -c listen_addresses=127.0.0.1 -c port="$3" -c unix_socket_directories= \
	-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB >>"$2.log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
cd / && rm -rf "$(dirname "$2")"`

func startCluster() (*cluster, error) {
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
	cmd := exec.Command("sh", "-c", supervise, "sh", bin, data, strconv.Itoa(port))
	cmd.Dir, cmd.Stdin = dir, r
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_ = r.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	c := &cluster{port: port, hold: w}
	if err := c.ready(ended, data+".log"); err != nil {
		return nil, err
	}
	if err := c.exec("CREATE DATABASE template_countersign"); err != nil {
		return nil, err
	}
	return c, migrated(context.Background(), c.url("template_countersign"))
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (c *cluster) url(name string) string {
	return fmt.Sprintf("postgres://countersign@127.0.0.1:%d/%s?sslmode=disable", c.port, name)
}

// ready waits until the server answers.
func (c *cluster) ready(ended <-chan error, log string) error {
	deadline := time.After(60 * time.Second)
	for {
		if c.exec("SELECT 1") == nil {
			return nil
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(log)
			return fmt.Errorf("the server ended: %s", text)
		case <-deadline:
			return errors.New("the server did not answer within a minute")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *cluster) exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
