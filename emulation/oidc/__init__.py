"""The mock issuer: an OpenID Connect provider with Auth0's paths, claims and key rotation.

python -m emulation.oidc --port 4503

app          puts the parts together            server     serves them until SIGTERM
registry     which users and clients exist      errors     refusals, and how each is answered
keys         signing keys, rotation             tokens     what the tokens say
authorize    reads an authorization request     login      what a person sees, and logout
grants       codes and refresh tokens           token      /oauth/token and /oauth/revoke
client_auth  which client is calling            documents  discovery, JWKS, userinfo, index
flaws        tokens a verifier must refuse      control    rotation, misbehaviour, minting
access_log   one JSON line for each request     cors       which browser origins may call
"""
