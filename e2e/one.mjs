import { chromium } from "@playwright/test";
const [,, url, out] = process.argv;
const b = await chromium.launch({executablePath:"/usr/bin/chromium"});
for (const [n,w,s] of [["w",1280,"light"],["n",390,"dark"]]) { const c = await b.newContext({viewport:{width:w,height:900},colorScheme:s}); const p = await c.newPage(); await p.goto(url); await p.waitForTimeout(500); await p.screenshot({path:`${out}-${n}.png`,fullPage:true}); await c.close(); }
await b.close();
