package dev.ebb.shared.scram;

/**
 * What a client's proof and a verifier give together: enough to log in elsewhere as that client
 * where the same verifier is kept, but not the password.
 *
 * @param salt and {@code iterations}: what the keys were derived with
 */
public record ScramKeys(byte[] clientKey, byte[] serverKey, String salt, int iterations) {
  @Override
  public String toString() {
    return "ScramKeys[***]";
  }
}
