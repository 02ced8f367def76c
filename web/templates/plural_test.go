package templates_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/web/templates"
)

func TestPluralsFollowTheRulesOfTheLanguage(t *testing.T) {
	const file = `[{"id": "{{.Count}} document", "one": "{{.Count}} dokument", "few": "{{.Count}} dokumenty", "many": "{{.Count}} dokumentów", "other": "{{.Count}} dokumentu"}]`
	pl, err := templates.WithFile(context.Background(), "text.pl.json", []byte(file))
	require.NoError(t, err)
	require.Equal(t, "pl", templates.Language(pl))
	for n, want := range map[int]string{
		0: "0 dokumentów", 1: "1 dokument", 2: "2 dokumenty", 4: "4 dokumenty", 5: "5 dokumentów", 12: "12 dokumentów", 21: "21 dokumentów", 22: "22 dokumenty", 1_000_002: "1\u00a0000\u00a0002 dokumenty",
	} {
		require.Equal(t, want, templates.N(pl, "{{.Count}} document", "{{.Count}} documents", n))
	}
	require.Equal(t, map[string]bool{"one": true, "few": true, "many": true}, templates.FormsOf("pl"), "a Polish file needs three forms")
	require.Equal(t, map[string]bool{"one": true, "other": true}, templates.FormsOf("de"))
}

func TestAFileOfTextsSaysWhatIsWrongWithIt(t *testing.T) {
	for name, file := range map[string]string{
		"no JSON": `[`, "no key": `[{"id": "", "other": "x"}]`, "twice": `[{"id": "a", "other": "x"}, {"id": "a", "other": "y"}]`,
	} {
		_, err := templates.WithFile(context.Background(), "text.nl.json", []byte(file))
		require.ErrorContains(t, err, "text.nl.json", name)
	}
}

func TestKeysMayHoldDotsAndColons(t *testing.T) {
	nl, err := templates.WithFile(context.Background(), "text.nl.json", []byte(`[{"id": "Saved. Now: go on.", "other": "Bewaard. Nu: verder."}]`))
	require.NoError(t, err)
	require.Equal(t, "Bewaard. Nu: verder.", templates.T(nl, "Saved. Now: go on."))
}

func TestTimesAndAmountsInGerman(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	p := templates.Page{Now: time.Date(2026, 11, 23, 14, 30, 0, 0, zone), Zone: zone}
	de := templates.WithLanguage(context.Background(), "de-AT,en;q=0.5")
	require.Equal(t, "de", templates.Language(de))
	at := func(d, h, m int) time.Time { return time.Date(2026, 11, d, h, m, 0, 0, zone) }
	require.Equal(t, "heute um 13:58 Uhr", templates.Near(de, p, at(23, 13, 58)))
	require.Equal(t, "gestern um 16:20 Uhr", templates.Near(de, p, at(22, 16, 20)))
	require.Equal(t, "morgen um 09:00 Uhr", templates.Near(de, p, at(24, 9, 0)))
	require.Equal(t, "23.\u00a0November\u00a02026", templates.Day(de, p, at(23, 9, 0)))
	require.Equal(t, "19.\u00a0Nov.\u00a02026", templates.Short(de, p, at(19, 9, 0)))
	require.Equal(t, "2.\u00a0März\u00a02026", templates.Short(de, p, time.Date(2026, 3, 2, 9, 0, 0, 0, zone)))
	require.Equal(t, "12:30, vor 2 Stunden", templates.Waiting(de, p, at(23, 12, 30)))
	require.Equal(t, "19.\u00a0November\u00a02026, vor 4 Tagen", templates.Waiting(de, p, at(19, 14, 0)), "the unit is bent after vor")
	for d, want := range map[time.Duration]string{
		-time.Second: "weniger als eine Minute", time.Minute: "1 Minute", 90 * time.Minute: "1 Stunde", 26 * time.Hour: "26 Stunden", 49 * time.Hour: "2 Tage",
	} {
		require.Equal(t, want, templates.Span(de, d))
	}
	require.Equal(t, "18.204", templates.Number(de, 18204))
	require.Equal(t, "1 Dokument signieren", templates.T(de, "Sign 1 document"))
	for bytes, want := range map[int64]string{
		0: "0 Byte", 1: "1 Byte", 310_400: "310\u00a0kB", 2_412_000: "2,4\u00a0MB", 48_000_000: "48\u00a0MB", 1_500_000_000_000: "1,5\u00a0TB", 999_600: "1\u00a0MB",
	} {
		require.Equal(t, want, templates.Size(de, bytes))
	}
}

func TestMailsAreWrittenInTheReadersLanguage(t *testing.T) {
	var words templates.Catalogue
	require.Equal(t, "de", words.Language("de-DE,de;q=0.9,en;q=0.8"))
	require.Equal(t, "en", words.Language(""))
	require.Equal(t, "en", words.Language("tlh"))
	day := time.Date(2027, 11, 23, 12, 0, 0, 0, time.Local)
	require.Equal(t, "Er ist gültig bis zum 23.\u00a0November\u00a02027.", words.Say("de", "It is valid until {{.Day}}.", map[string]any{"Day": day}))
	require.Equal(t, "It is valid until 23\u00a0November\u00a02027.", words.Say("en", "It is valid until {{.Day}}.", map[string]any{"Day": day}))
}

func TestAValueIsNeverAPlaceForAnother(t *testing.T) {
	for _, language := range []string{"en", "de"} {
		ctx := templates.WithLanguage(context.Background(), language)
		said := templates.T(ctx, "{{.Role}} at {{.Organization}}", "Role", "{{.Organization}}", "Organization", "Acme")
		require.Contains(t, said, "{{.Organization}} ")
	}
}
