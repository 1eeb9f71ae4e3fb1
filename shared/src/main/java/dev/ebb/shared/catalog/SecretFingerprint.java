package dev.ebb.shared.catalog;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.ObjectStore;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Optional;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Tells whether a cluster secret is the one that the databases in an object store were made with.
 * The store keeps an HMAC of a constant under the secret, from which the secret does not follow.
 * The first one to ask leaves it. Blocking.
 */
public final class SecretFingerprint {
  /** The object that holds it: the format's version and the fingerprint in hexadecimal. */
  public static final String KEY = "catalog/cluster-secret-fingerprint";

  private static final String ALGORITHM = "HmacSHA256";
  private static final String VERSION = "1 ";
  private static final byte[] MESSAGE =
      "ebb: fingerprint of the cluster secret".getBytes(StandardCharsets.UTF_8);

  private final ObjectStore store;

  public SecretFingerprint(ObjectStore store) {
    this.store = store;
  }

  /**
   * Whether {@code secret} is the store's, which it becomes where the store has none yet; {@code
   * Corrupt} where what the store has is no fingerprint.
   */
  public boolean matches(Secret secret) {
    byte[] own = (VERSION + of(secret) + "\n").getBytes(StandardCharsets.US_ASCII);
    Optional<ObjectStore.Stored> present = store.get(KEY);
    if (present.isEmpty()) {
      if (store.putIfAbsent(KEY, own).isPresent()) {
        return true;
      }
      present = store.get(KEY);
    }
    byte[] known =
        present
            .orElseThrow(() -> new EbbException.Unavailable(KEY + " comes and goes: try again"))
            .content();
    if (known.length != own.length || known[0] != own[0] || known[1] != own[1]) {
      throw new EbbException.Corrupt(KEY + " is not what Ebb wrote: restore that object's version");
    }
    return MessageDigest.isEqual(known, own);
  }

  private static String of(Secret secret) {
    try {
      var mac = Mac.getInstance(ALGORITHM);
      mac.init(new SecretKeySpec(secret.reveal().getBytes(StandardCharsets.UTF_8), ALGORITHM));
      return HexFormat.of().formatHex(mac.doFinal(MESSAGE));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
