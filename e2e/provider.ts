import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { type RequestListener, type Server, createServer } from "node:http";
import Provider, { type Configuration, type KoaContextWithOIDC } from "oidc-provider";

/** The people of the demo, as another make of provider knows them. */
const people: Record<string, string> = { Ada: "signer", Ben: "signer", Cleo: "admin", Dora: "auditor" };

const claimsOf = (name: string) => ({
  sub: name.toLowerCase(),
  name: `${name} Example`,
  given_name: name,
  family_name: "Example",
  email: `${name.toLowerCase()}@example.test`,
  phone_number: "+15550100101",
  roles: [people[name]],
});

const nameOf = (subject: string) => Object.keys(people).find((name) => name.toLowerCase() === subject);
const page = (body: string) => `<!doctype html><html lang="en"><title>Another provider</title><h1>Another provider</h1>${body}`;

export const client = { id: "another-client", secret: "a-secret-of-forty-two-characters-and-more" };

/**
 * A login provider of another make than the demo's, to be sure that the portal speaks the standard and not a dialect: it tells
 * roles and names at its userinfo endpoint only, answers with `iss` (RFC 9207), wants PKCE, asks before it signs out, and tells the portal by back channel.
 */
export class AnotherProvider {
  private readonly keys = [newKey("first")];
  private readonly server: Server;
  private answer!: RequestListener;

  private constructor(
    readonly url: string,
    private readonly portal: string,
  ) {
    this.open();
    this.server = createServer((request, response) => this.answer(request, response));
  }

  static async start(port: number, portal: string): Promise<AnotherProvider> {
    const another = new AnotherProvider(`http://localhost:${port}`, portal);
    another.server.listen(port, "127.0.0.1");
    await once(another.server, "listening");
    return another;
  }

  /** From now on tokens are signed with a new key; the old one stays published. */
  rotate(): void {
    this.keys.unshift(newKey(`another-${this.keys.length}`));
    this.open();
  }

  private open(): void {
    const provider = new Provider(this.url, configuration(this.portal, this.keys));
    provider.use(async (ctx, next) => {
      if (!ctx.path.startsWith("/interaction/")) return next();
      await interact(provider, ctx as KoaContextWithOIDC);
    });
    provider.on("backchannel.error", (_ctx, error, told) => console.error(`${told.clientId} was not told of a sign-out: ${error.message} ${String(error.cause)}`));
    this.answer = provider.callback();
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}

/** The page where a person signs in, or does not. */
async function interact(provider: Provider, ctx: KoaContextWithOIDC): Promise<void> {
  const { uid } = await provider.interactionDetails(ctx.req, ctx.res);
  const name = ctx.query.name as string | undefined;
  if (name !== undefined) {
    const result = people[name] ? { login: { accountId: name.toLowerCase() } } : { error: "access_denied", error_description: "The person went back." };
    return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
  }
  const button = (value: string, text: string) => `<form action="/interaction/${uid}"><button name="name" value="${value}">${text}</button></form>`;
  ctx.type = "html";
  ctx.body = page(Object.keys(people).map((n) => button(n, `Sign in as ${n}`)).join("") + button("nobody", "Go back"));
}

const newKey = (kid: string) => ({ ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" });

function configuration(portal: string, keys: ReturnType<typeof newKey>[]): Configuration {
  return {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: [`${portal}/auth/callback`],
        post_logout_redirect_uris: [`${portal}/signed-out`],
        backchannel_logout_uri: `${portal}/auth/backchannel-logout`,
        backchannel_logout_session_required: true,
      },
    ],
    jwks: { keys: keys as never },
    ttl: { Interaction: 600, Grant: 3600, Session: 3600, AccessToken: 600, IdToken: 600 },
    cookies: { keys: ["a key for the cookies of one test"] },
    claims: { openid: ["sub"], profile: ["name", "given_name", "family_name", "roles"], email: ["email"], phone: ["phone_number"] },
    // By itself it does not call a portal on this very machine.
    fetch: (url, options) => globalThis.fetch(url, { ...options, dispatcher: undefined } as RequestInit),
    pkce: { required: () => true },
    findAccount: (_ctx, subject) => {
      const name = nameOf(subject);
      return name ? { accountId: subject, claims: () => Promise.resolve(claimsOf(name)) } : undefined;
    },
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client!.clientId, accountId: ctx.oidc.session!.accountId! });
      grant.addOIDCScope("openid profile email phone");
      await grant.save();
      return grant;
    },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = page(`${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out everywhere</button>`);
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = page("<p>You are signed out.</p>");
        },
      },
    },
  };
}
