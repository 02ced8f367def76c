package templates

import (
	"context"
	"math"
	"strings"
	"time"
)

// nbsp keeps the parts of a date or an amount on one line.
const nbsp = "\u00a0"

func (p Page) now() time.Time {
	if p.Now.IsZero() {
		return time.Now()
	}
	return p.Now
}

func (p Page) local(t time.Time) time.Time {
	if p.Zone == nil {
		return t.UTC()
	}
	return t.In(p.Zone)
}

// Day writes a date with its year: "23 November 2026".
func Day(ctx context.Context, p Page, t time.Time) string {
	t = p.local(t)
	return date(ctx, t, monthName(ctx, t.Month()))
}

func shortDay(ctx context.Context, p Page, t time.Time) string {
	t = p.local(t)
	return date(ctx, t, monthShort(ctx, t.Month()))
}

// Clock writes the time of day to the minute: "13:58".
func Clock(p Page, t time.Time) string { return p.local(t).Format("15:04") }

func seconds(p Page, t time.Time) string { return p.local(t).Format("15:04:05") }

// Near writes "today at 13:58", "yesterday at 16:20", else the date with its year.
func Near(ctx context.Context, p Page, t time.Time) string {
	return near(ctx, p, t, Day)
}

// Short is Near for tables, with the month cut: "19 Nov 2026".
func Short(ctx context.Context, p Page, t time.Time) string {
	return near(ctx, p, t, shortDay)
}

func near(ctx context.Context, p Page, t time.Time, far func(context.Context, Page, time.Time) string) string {
	switch p.daysAgo(t) {
	case 0:
		return T(ctx, "today at {{.Time}}", "Time", Clock(p, t))
	case 1:
		return T(ctx, "yesterday at {{.Time}}", "Time", Clock(p, t))
	case -1:
		return T(ctx, "tomorrow at {{.Time}}", "Time", Clock(p, t))
	}
	return far(ctx, p, t)
}

// daysAgo counts calendar days in the reader's zone, so that a change of the clock does not matter.
func (p Page) daysAgo(t time.Time) int {
	at, now := p.local(t), p.local(p.now())
	a := time.Date(at.Year(), at.Month(), at.Day(), 12, 0, 0, 0, time.UTC)
	b := time.Date(now.Year(), now.Month(), now.Day(), 12, 0, 0, 0, time.UTC)
	return int(b.Sub(a).Hours() / 24)
}

// Waiting writes when something began and how long ago: "09:31, 2 hours ago".
func Waiting(ctx context.Context, p Page, t time.Time) string {
	begin := Clock(p, t)
	if p.daysAgo(t) != 0 {
		begin = Near(ctx, p, t)
	}
	return T(ctx, "{{.Begin}}, {{.Ago}}", "Begin", begin, "Ago", Ago(ctx, p.now().Sub(t)))
}

// Ago writes how long something is past, in its largest unit: "2 hours ago". It has
// sentences of its own because languages bend the unit: "2 Tage", "vor 2 Tagen".
func Ago(ctx context.Context, d time.Duration) string {
	switch {
	case d < time.Minute:
		return T(ctx, "less than a minute ago")
	case d < time.Hour:
		return N(ctx, "{{.Count}} minute ago", "{{.Count}} minutes ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return N(ctx, "{{.Count}} hour ago", "{{.Count}} hours ago", int(d.Hours()))
	}
	return N(ctx, "{{.Count}} day ago", "{{.Count}} days ago", int(d.Hours()/24))
}

// Span writes a length of time in its largest unit: "2 hours".
func Span(ctx context.Context, d time.Duration) string {
	switch {
	case d < 0:
		d = 0
		fallthrough
	case d < time.Minute:
		return T(ctx, "less than a minute")
	case d < time.Hour:
		return N(ctx, "{{.Count}} minute", "{{.Count}} minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return N(ctx, "{{.Count}} hour", "{{.Count}} hours", int(d.Hours()))
	}
	return N(ctx, "{{.Count}} day", "{{.Count}} days", int(d.Hours()/24))
}

func utc(t time.Time) string      { return t.UTC().Format("2006-01-02 15:04 UTC") }
func utcExact(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
func machine(t time.Time) string  { return t.UTC().Format(time.RFC3339) }

func monthName(ctx context.Context, m time.Month) string {
	switch m {
	case time.January:
		return T(ctx, "January")
	case time.February:
		return T(ctx, "February")
	case time.March:
		return T(ctx, "March")
	case time.April:
		return T(ctx, "April")
	case time.May:
		return T(ctx, "May")
	case time.June:
		return T(ctx, "June")
	case time.July:
		return T(ctx, "July")
	case time.August:
		return T(ctx, "August")
	case time.September:
		return T(ctx, "September")
	case time.October:
		return T(ctx, "October")
	case time.November:
		return T(ctx, "November")
	}
	return T(ctx, "December")
}

func monthShort(ctx context.Context, m time.Month) string {
	switch m {
	case time.January:
		return T(ctx, "Jan")
	case time.February:
		return T(ctx, "Feb")
	case time.March:
		return T(ctx, "Mar")
	case time.April:
		return T(ctx, "Apr")
	case time.May:
		return T(ctx, "May")
	case time.June:
		return T(ctx, "Jun")
	case time.July:
		return T(ctx, "Jul")
	case time.August:
		return T(ctx, "Aug")
	case time.September:
		return T(ctx, "Sep")
	case time.October:
		return T(ctx, "Oct")
	case time.November:
		return T(ctx, "Nov")
	}
	return T(ctx, "Dec")
}

// greeting fits the hour of the reader.
func greeting(ctx context.Context, p Page, name string) string {
	switch h := p.local(p.now()).Hour(); {
	case h >= 5 && h < 12:
		return T(ctx, "Good morning, {{.Name}}.", "Name", name)
	case h >= 12 && h < 18:
		return T(ctx, "Good afternoon, {{.Name}}.", "Name", name)
	}
	return T(ctx, "Good evening, {{.Name}}.", "Name", name)
}

// Size writes bytes in decimal units: "2.4 MB".
func Size(ctx context.Context, bytes int64) string {
	units := []string{"kB", "MB", "GB", "TB"}
	if bytes < 1000 {
		return N(ctx, "{{.Count}} byte", "{{.Count}} bytes", int(bytes))
	}
	v, unit := float64(bytes)/1000, 0
	for v >= 999.5 && unit < len(units)-1 {
		v /= 1000
		unit++
	}
	digits := 0
	if tenths := math.Round(v * 10); unit > 0 && tenths < 100 && math.Mod(tenths, 10) != 0 {
		digits = 1
	}
	s := speaking(ctx)
	number := ""
	if digits == 0 {
		number = s.whole(int64(math.RoundToEven(v)))
	} else {
		number = s.printer.Sprintf("%.*f", digits, v)
	}
	return number + nbsp + units[unit]
}

func date(ctx context.Context, t time.Time, month string) string {
	s := T(ctx, "{{.Day}} {{.Month}} {{.Year}}", "Day", t.Day(), "Month", month, "Year", t.Year())
	return strings.ReplaceAll(s, " ", nbsp)
}
