// An OpenID provider with a few people and clients, on a port of its own: node provider.mjs PORT [REDIRECT]
// Where LOGOUT_URI is set, it tells the client "callout" there of sessions that ended. Prints its address as one line of JSON once it answers. Its own pages ask for a name (any password is right) and for consent.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const redirects = ["http://callout.test/login/oidc/done", ...process.argv.slice(3)];
const people = {
  bo: { email: "bo@example.com", email_verified: true, name: "Bo Ek", groups: ["sre"] },
  ann: { email: "Ann@Example.com", email_verified: true, name: "Ann Admin", groups: ["sre", "incident admins"] },
  eve: { email: "eve@evil.example", email_verified: true, name: "Eve", groups: ["sre"] },
  mal: { email: "ann@example.com", email_verified: false, name: "Mallory", groups: ["sre"] },
  nil: {},
};
const jwk = (type, options, more) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }),
  use: "sig",
  kid: `${type}-${Date.now()}`,
  ...more,
});
const client = (client_id, more) => ({ client_id, redirect_uris: redirects, ...more });

const server = createServer().listen(Number(process.argv[2]), "127.0.0.1");
await new Promise((ready) => server.once("listening", ready));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [
    client("callout", {
      client_secret: "s3cret / : & more+%",
      ...(process.env.LOGOUT_URI && {
        backchannel_logout_uri: process.env.LOGOUT_URI,
        backchannel_logout_session_required: true,
      }),
    }),
    client("post", { client_secret: "secret", token_endpoint_auth_method: "client_secret_post" }),
    client("public", { token_endpoint_auth_method: "none" }),
    client("elliptic", { client_secret: "secret", id_token_signed_response_alg: "ES256" }),
    client("shared", { client_secret: "secret", id_token_signed_response_alg: "HS256" }),
  ],
  jwks: {
    keys: [
      jwk("rsa", { modulusLength: 2048 }, { alg: "RS256" }),
      jwk("ec", { namedCurve: "P-256" }, { alg: "ES256" }),
    ],
  },
  features: { backchannelLogout: { enabled: true } },
  // Without its guard against this machine's own addresses, which is where the test listens.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  cookies: { keys: ["for this run only"] },
  claims: { email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  scopes: ["openid", "email", "profile", "groups"],
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "HS256"] },
  findAccount: (_context, id) =>
    id in people ? { accountId: id, claims: () => ({ sub: id, ...people[id] }) } : undefined,
});
server.on("request", provider.callback());
// Whoever started it holds the other end: it ends with them, however they do.
process.stdin.resume().on("end", () => process.exit());
console.log(JSON.stringify({ issuer }));
