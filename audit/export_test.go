package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/audit"
)

func TestAnExportProvesTheWholeLogAndIsGoneOnWith(t *testing.T) {
	d, tree := grown(t)
	key := tree.Signer.Key()
	var out bytes.Buffer
	flushed := 0
	require.NoError(t, tree.Export(t.Context(), d.AuditTree(), &out, 0, func() { flushed++ }))
	require.Equal(t, 3, flushed, "in batches, not at the end")
	whole := out.String()
	x, err := audit.CheckExport(strings.NewReader(whole), key)
	require.NoError(t, err)
	require.EqualValues(t, 1203, x.Entries)
	require.EqualValues(t, 1203, x.Covered)
	require.Equal(t, 4, x.Checkpoints, "three kept, and the newest")
	require.Len(t, x.Stamps, 1)
	require.EqualValues(t, 407, x.Stamps[0].Size)

	// Cut off after 500 entries, and gone on with from there.
	lines := strings.SplitAfter(whole, "\n")
	upTo := 0
	for i, l := range lines {
		if strings.HasPrefix(l, `{"number":499,`) {
			upTo = i + 1
		}
	}
	begin := strings.Join(lines[:upTo], "")
	x, err = audit.CheckExport(strings.NewReader(begin), key)
	require.NoError(t, err)
	require.EqualValues(t, 407, x.Covered, "and whoever reads it sees that the rest is under no checkpoint")
	require.EqualValues(t, 500, x.Entries)
	var rest bytes.Buffer
	require.NoError(t, tree.Export(t.Context(), d.AuditTree(), &rest, 500, nil))
	x, err = audit.CheckExport(strings.NewReader(begin+rest.String()), key)
	require.NoError(t, err)
	require.EqualValues(t, 1203, x.Covered)
	_, err = audit.CheckExport(strings.NewReader(rest.String()), key)
	require.ErrorIs(t, err, audit.ErrIncomplete)
	_, err = audit.CheckExport(strings.NewReader(whole), signer(t, 8).Key())
	require.ErrorIs(t, err, audit.ErrUnknownKey)
	x, err = audit.CheckExport(strings.NewReader(whole))
	require.NoError(t, err)
	require.False(t, x.KeyGiven)

	swap := strings.Join(append(append(append([]string{}, lines[:2]...), lines[3], lines[2]), lines[4:]...), "")
	for name, forged := range map[string]string{
		"an entry changed":   strings.Replace(whole, `\"bytes\":\"7\"`, `\"bytes\":\"8\"`, 1),
		"an entry left out":  strings.Join(append(append([]string{}, lines[:3]...), lines[4:]...), ""),
		"two swapped":        swap,
		"a root changed":     strings.Replace(whole, `audit\n407\n`, `audit\n408\n`, 1),
		"an entry forgotten": strings.Replace(whole, lines[1], `{"number":0,"hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`+"\n", 1),
		"a number changed":   strings.Replace(whole, `{"number":499,`, `{"number":498,`, 1),
		"no hash":            strings.Replace(whole, lines[1], `{"number":0}`+"\n", 1),
	} {
		require.NotEqual(t, whole, forged, name)
		_, err := audit.CheckExport(strings.NewReader(forged), key)
		require.ErrorIs(t, err, audit.ErrProof, name)
	}
	for name, bad := range map[string]string{"empty": "", "no header": lines[1], "no JSON": lines[0] + "{", "another format": `{"format":"x/1","first":0}`, "nothing": lines[0] + "{}\n"} {
		_, err := audit.CheckExport(strings.NewReader(bad), key)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, audit.ErrProof, name)
	}
}
