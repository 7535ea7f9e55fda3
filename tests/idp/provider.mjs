// An OpenID provider for tests, on 127.0.0.1:$PORT: JWT access tokens (RFC 9068) by client
// credentials and by authorization code. Keys and their ids are new at each start.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;
const audience = 'https://api.example.test';

const signer = (type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  kid: `${alg}-${randomUUID()}`,
  use: 'sig',
  alg,
});

const provider = new Provider(issuer, {
  jwks: {
    keys: [
      signer('ec', { namedCurve: 'P-256' }, 'ES256'),
      signer('rsa', { modulusLength: 2048 }, 'RS256'),
    ],
  },
  clients: [
    {
      client_id: 'svc',
      client_secret: 'svc-secret',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
    },
    {
      client_id: 'web',
      client_secret: 'web-secret',
      // As a native application's: any port of the loopback address (RFC 8252, section 7.3).
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/auth/callback'],
      response_types: ['code'],
      grant_types: ['authorization_code'],
    },
  ],
  findAccount: (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        audience,
        scope: 'berth',
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

provider.listen(port, '127.0.0.1');
