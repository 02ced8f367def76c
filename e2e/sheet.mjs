import { chromium } from "@playwright/test"; import fs from "fs";
const [,, dir, kind, per, w, h, want] = process.argv;
const b = await chromium.launch({executablePath:"/usr/bin/chromium"}); const p = await b.newPage({viewport:{width:per*(+w+6),height:+h+20}});
const files = fs.readdirSync(dir).filter(f=>f.endsWith(`-${kind}.png`)&&(!want||new RegExp(want).test(f)));
let n=0;
for (let i=0;i<files.length;i+=+per){
  const html = `<body style="margin:0;display:flex;gap:6px;background:#888;font:11px sans-serif">`+files.slice(i,i+ +per).map(f=>`<div style="width:${w}px"><div style="background:#ff0;overflow:hidden;white-space:nowrap">${f.replace("_gallery_","")}</div><div style="height:${h}px;overflow:hidden"><img style="width:${w}px" src="file://${dir}/${f}"></div></div>`).join("");
  fs.writeFileSync("/tmp/sheets/t.html",html); await p.goto("file:///tmp/sheets/t.html"); await p.screenshot({path:`/tmp/sheets/${kind}-${String(n++).padStart(2,"0")}.png`});
}
await b.close(); console.log(n);
