import { chromium } from "@playwright/test";
const b = await chromium.launch({executablePath:process.env.CHROMIUM||"/usr/bin/chromium"});
const base = process.argv[2], out = process.argv[3];
const want = process.argv[4] ? new RegExp(process.argv[4]) : /./;
import fs from "fs"; fs.mkdirSync(out,{recursive:true});
for (const [n,w,h,s] of [["n",390,844,"dark"],["w",1280,900,"light"],["nl",390,844,"light"],["wd",1280,900,"dark"]].filter(x=>(process.argv[5]||"n,w").split(",").includes(x[0]))) {
  const c = await b.newContext({viewport:{width:w,height:h},colorScheme:s,reducedMotion:"reduce",ignoreHTTPSErrors:true});
  const p = await c.newPage();
  await p.goto(base+"/gallery");
  const paths = await p.locator("ol a").evaluateAll(l=>l.map(a=>a.getAttribute("href")));
  if(n==="n"||n=="w") console.log(n, paths.length);
  for (const path of paths.filter(x=>want.test(x))) {
    await p.goto(base+path,{waitUntil:"domcontentloaded"}); await p.waitForTimeout(80);
    await p.screenshot({path: out+"/"+path.replace(/\//g,"_")+"-"+n+".png", fullPage:true});
  }
  await c.close();
}
await b.close();
