package reliability

import (
	"context"
	"fmt"
	"html"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db"
)

// I14: the same people doing the same things leave the same rows and the same log on both
// databases, but for ids and times.
func TestBothDatabasesComeToTheSameEnd(t *testing.T) {
	t.Parallel()
	var ends []string
	for _, postgres := range []bool{false, true} {
		w := newWorld(t, options{postgres: postgres})
		ctx := context.Background()
		pin, code := w.people[0], w.people[1]
		for _, p := range []*person{pin, code} {
			require.NoError(t, p.work(ctx, 2))
		}
		document, err := pin.upload(ctx, 1)
		require.NoError(t, err)
		require.NoError(t, pin.sign(ctx, document))
		require.NoError(t, pin.sign(ctx, document), "a second signature")
		_, err = pin.send(ctx, "PUT", "/documents?name=x.pdf", "application/pdf", nil)
		require.NoError(t, err, "nothing in it, which is refused")
		other, err := pin.upload(ctx, 1)
		require.NoError(t, err)
		ceremony, err := pin.begin(ctx, other)
		require.NoError(t, err)
		pin.must("/ceremonies/" + ceremony + "/cancel")
		page, err := pin.send(ctx, "GET", "/documents/"+other, "", nil)
		require.NoError(t, err)
		what := regexp.MustCompile(`name="seen" value="([^"]*)"`).FindStringSubmatch(page.text)
		require.Len(t, what, 2, "the page says what erasing ends")
		pin.must("/documents/"+other+"/erase", "confirm", "on", "seen", html.UnescapeString(what[1]))
		broken, out := w.fsck()
		require.Empty(t, broken, out)
		ends = append(ends, w.end())
	}
	require.Contains(t, ends[0], "released")
	require.Equal(t, ends[0], ends[1])
}

// end is what the rows and the log say, without ids and times.
func (w *world) end() (text string) {
	w.open(func(d *db.DB) {
		for _, query := range []string{
			"SELECT 'document ' || state || ' ' || reason || ' ' || revisions || ' ' || pages || ' ' || version FROM documents ORDER BY created_at, id",
			"SELECT 'ceremony ' || state || ' ' || reason || ' ' || tries || ' ' || sends || ' ' || version FROM ceremonies ORDER BY created_at, id",
			"SELECT 'signature ' || state || ' ' || reason || ' ' || base || ' ' || level || ' ' || field || ' ' || version FROM signatures ORDER BY created_at, id",
			"SELECT 'revision ' || number || ' ' || start || ' ' || CASE WHEN number = 1 THEN size ELSE 0 END FROM revisions ORDER BY created_at, document, number",
			`SELECT 'entry ' || object || ' ' || action || ' ' || from_state || ' ' || to_state || ' ' || outcome || ' ' || reason || ' ' || CASE WHEN person = '' THEN 'nobody' ELSE 'somebody' END
				FROM audit WHERE object IN ('document', 'ceremony', 'signature') ORDER BY at, id`,
		} {
			var lines []string
			require.NoError(w.t, d.Read.Select(&lines, query))
			for _, l := range lines {
				text += fmt.Sprintln(l)
			}
		}
	})
	return text
}
