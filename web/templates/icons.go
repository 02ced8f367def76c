package templates

// The icons of the look, drawn on a field of 24 in one line of 1.75. Ring icons ("r-…") are
// states: the inside of the ring tells the family without colour.
var iconPaths = map[string]string{
	"alert":    `<path d="M12 4 2.8 20h18.4L12 4ZM12 10v4.5M12 17.2v.1"/>`,
	"copy":     `<rect x="8" y="8" width="12" height="12" rx="1.5"/><path d="M16 8V5a1 1 0 0 0-1-1H5a1 1 0 0 0-1 1v10a1 1 0 0 0 1 1h3"/>`,
	"cross":    `<path d="M6 6l12 12M18 6 6 18"/>`,
	"down":     `<path d="m7 10 5 5 5-5"/>`,
	"download": `<path d="M12 4v12M7 11l5 5 5-5M4 20h16"/>`,
	"info":     `<circle cx="12" cy="12" r="9"/><path d="M12 11v5.5M12 7.6v.1"/>`,
	"left":     `<path d="M19 12H5M11 6l-6 6 6 6"/>`,
	"minus":    `<path d="M5 12h14"/>`,
	"pen":      `<path d="M4 20l1-4.5L16.5 4a2.1 2.1 0 0 1 3 3L8 18.5 4 20ZM14.5 6l3 3"/>`,
	"people":   `<circle cx="9" cy="8" r="3.5"/><path d="M2.5 20c.6-3.6 3-5.5 6.5-5.5s5.9 1.9 6.5 5.5M16 5.2a3.3 3.3 0 0 1 0 6M18 15c2 .7 3.2 2.4 3.5 5"/>`,
	"phone":    `<rect x="7" y="2.5" width="10" height="19" rx="2"/><path d="M11 18.2h2"/>`,
	"plus":     `<path d="M12 5v14M5 12h14"/>`,
	"r-ask":    `<circle cx="12" cy="12" r="8.5"/><path d="M9.8 9.7a2.3 2.3 0 1 1 3.2 2.2c-.7.3-1 .8-1 1.5M12 16.2v.1"/>`,
	"r-bad":    `<circle cx="12" cy="12" r="8.5"/><path d="m9 9 6 6M15 9l-6 6"/>`,
	"r-gone":   `<circle cx="12" cy="12" r="8.5"/><path d="M8.5 12h7"/>`,
	"r-hold":   `<circle cx="12" cy="12" r="8.5"/><path d="M10 9v6M14 9v6"/>`,
	"r-move":   `<circle cx="12" cy="12" r="8.5"/><path d="M12 6.5a5.5 5.5 0 0 1 0 11Z" fill="currentColor" stroke="none"/>`,
	"r-off":    `<circle cx="12" cy="12" r="8.5"/><path d="m6 18 12-12"/>`,
	"r-ok":     `<circle cx="12" cy="12" r="8.5"/><path d="m8 12.3 2.8 2.8L16 9.6"/>`,
	"r-signed": `<path d="M4 11.5l5.5 5.5L20.5 6M4 17l5.5 5.5L20.5 11.5" transform="translate(0 -3)"/>`,
	"r-time":   `<circle cx="12" cy="12" r="8.5"/><path d="M12 7.5V12l3 2"/>`,
	"r-todo":   `<circle cx="12" cy="12" r="8.5" stroke-dasharray=".1 4.45" stroke-width="2.4"/>`,
	"r-you":    `<circle cx="12" cy="12" r="8.5"/><circle cx="12" cy="12" r="3.5" fill="currentColor" stroke="none"/>`,
	"right":    `<path d="M5 12h14M13 6l6 6-6 6"/>`,
	"tick":     `<path d="M5 12.5 10 17.5 19.5 7"/>`,
	"eye":      `<path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Z"/><circle cx="12" cy="12" r="3"/>`,
	"external": `<path d="M14 5h5v5M19 5l-8 8M17 14v4a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1h4"/>`,
	"mail":     `<rect x="3" y="5.5" width="18" height="13" rx="1.5"/><path d="m3.5 7 8.5 6 8.5-6"/>`,
}
