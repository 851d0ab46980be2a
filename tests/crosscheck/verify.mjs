// Asks tools that nobody here wrote what they make of what Shuqiao issues.
//
//   node verify.mjs < job.json > verdicts.json
//
// job: {"now": "2026-11-23T00:00:00Z", "documents": {"<address or DID>": {...}}, "checks": [{"tool": "vc", ...}]}
// verdicts: one for each check, {"accepted": true, ...} or {"accepted": false, "why": "..."}.
// Nothing is fetched: an address that is not among the documents is an error.

import {webcrypto} from 'node:crypto';
globalThis.crypto ??= webcrypto; // Node 18 keeps it in its module

const {DataIntegrityProof} = await import('@digitalbazaar/data-integrity');
const {createVerifyCryptosuite} = await import('@digitalbazaar/ecdsa-jcs-2019-cryptosuite');
const {contexts} = await import('@digitalbazaar/credentials-context');
const vc = await import('@digitalbazaar/vc');
const statusList = await import('@digitalbazaar/vc-bitstring-status-list');
const jose = await import('jose');
const {SDJwtInstance} = await import('@sd-jwt/core');
const {digest} = await import('@sd-jwt/crypto-nodejs');
const {default: jsonld} = await import('jsonld');
const {default: canonicalize} = await import('canonicalize');

const MULTIKEY = 'https://w3id.org/security/multikey/v1';

function loader(documents) {
  return async address => {
    if(contexts.has(address)) {
      return {contextUrl: null, documentUrl: address, document: contexts.get(address)};
    }
    if(address in documents) {
      return {contextUrl: null, documentUrl: address, document: structuredClone(documents[address])};
    }
    const [did, fragment] = address.split('#');
    const method = fragment && documents[did]?.verificationMethod?.find(each => each.id === address);
    if(method) {
      return {contextUrl: null, documentUrl: address, document: {'@context': MULTIKEY, ...structuredClone(method)}};
    }
    throw new Error(`not among the documents: ${address}`);
  };
}

const suite = () => new DataIntegrityProof({cryptosuite: createVerifyCryptosuite()});

function reasons(error) {
  const all = error?.errors?.length ? error.errors : [error];
  return all.map(each => String(each?.message ?? each)).join('; ');
}

const tools = {
  // The credential's proof, terms and shape.
  async vc({credential}, {documentLoader, now}) {
    const found = await vc.verifyCredential({credential, suite: suite(), documentLoader, now, checkStatus: noStatus});
    return found.verified ? {accepted: true} : {accepted: false, why: reasons(found.error)};
  },

  // A presentation with the credentials in it.
  async presentation({presentation, challenge, domain}, {documentLoader, now}) {
    const found = await vc.verify(
      {presentation, challenge, domain, suite: suite(), documentLoader, now, checkStatus: noStatus});
    return found.verified ? {accepted: true} : {accepted: false, why: reasons(found.error)};
  },

  // The credential's entries in the status lists of one bit: {"accepted", "set": {"revocation": false, ...}}.
  async status({credential}, {documentLoader}) {
    const oneBit = credential.credentialStatus.filter(each => each.statusPurpose !== 'message');
    const found = await statusList.checkStatus(
      {credential: {...credential, credentialStatus: oneBit}, suite: suite(), documentLoader});
    if(!found.verified) {
      return {accepted: false, why: reasons(found.error)};
    }
    const set = found.results.map(each => [each.credentialStatus.statusPurpose, each.status]);
    return {accepted: true, set: Object.fromEntries(set)};
  },

  // Which positions of a list's bits are set: {"accepted", "length", "set": [7, ...]}.
  async bits({encodedList, positions}) {
    const list = await statusList.decodeList({encodedList});
    return {accepted: true, length: list.length, set: positions.filter(each => list.getStatus(each))};
  },

  // A list as this library encodes it: {"accepted", "encodedList"}.
  async encode({length, positions}) {
    const list = await statusList.createList({length});
    positions.forEach(each => list.setStatus(each, true));
    return {accepted: true, encodedList: await list.encode()};
  },

  // A compact JWS by the key that its header names in the key set.
  async jose({token, jwks, typ, algorithms}) {
    const keys = jose.createLocalJWKSet(jwks);
    const {payload, protectedHeader} = await jose.compactVerify(token, keys, {algorithms: algorithms ?? ['ES256']});
    if(typ && protectedHeader.typ !== typ) {
      throw new Error(`typ is ${protectedHeader.typ}`);
    }
    return {accepted: true, header: protectedHeader, payload: JSON.parse(new TextDecoder().decode(payload))};
  },

  // An SD-JWT with whatever disclosures come with it: {"accepted", "payload"} with these put in place.
  async 'sd-jwt'({token, jwks}) {
    const {kid} = jose.decodeProtectedHeader(token.split('~')[0]);
    const jwk = jwks.keys.find(each => each.kid === kid);
    if(!jwk) {
      throw new Error(`no key ${kid}`);
    }
    const key = await jose.importJWK(jwk, 'ES256');
    const verifier = async (data, signature) => {
      await jose.compactVerify(`${data}.${signature}`, key, {algorithms: ['ES256']});
      return true;
    };
    const {payload} = await new SDJwtInstance({verifier, hasher: digest, hashAlg: 'sha-256'}).verify(token);
    return {accepted: true, payload};
  },

  // What a JSON-LD processor makes of a document by its contexts, in safe mode: a term that no context defines, or an
  // address that is relative, is an error instead of being dropped. {"accepted", "expanded", "statements"}.
  async jsonld({document}, {documentLoader}) {
    const expanded = await jsonld.expand(document, {documentLoader, safe: true});
    const dataset = await jsonld.toRDF(document, {documentLoader, safe: true});
    return {accepted: true, expanded, statements: dataset.length};
  },

  // JSON as RFC 8785 has it: {"accepted", "canonical"}; numbers and texts as JSON.parse reads them.
  async jcs({json}) {
    return {accepted: true, canonical: canonicalize(JSON.parse(json))};
  },

  async versions() {
    return {accepted: true, node: process.version};
  },
};

// The library insists on being told how to look up a status; the tool "status" does that on its own.
async function noStatus() {
  return {verified: true};
}

let text = '';
for await (const chunk of process.stdin) {
  text += chunk;
}
const job = JSON.parse(text);
const surroundings = {documentLoader: loader(job.documents ?? {}), now: job.now && new Date(job.now)};
const verdicts = [];
for(const check of job.checks) {
  try {
    verdicts.push(await tools[check.tool](check, surroundings));
  } catch(error) {
    verdicts.push({accepted: false, why: reasons(error)});
  }
}
process.stdout.write(JSON.stringify(verdicts));
