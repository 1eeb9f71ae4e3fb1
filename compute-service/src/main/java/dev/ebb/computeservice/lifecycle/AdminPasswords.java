package dev.ebb.computeservice.lifecycle;

import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Secret;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The password of {@code ebb_admin} in each database: HMAC-SHA-256 of the database's id under the
 * cluster secret, so that it is nowhere stored and one database's says nothing of another's.
 */
public final class AdminPasswords {
  private final SecretKeySpec key;

  public AdminPasswords(Secret clusterSecret) {
    key = new SecretKeySpec(clusterSecret.reveal().getBytes(StandardCharsets.UTF_8), "HmacSHA256");
  }

  /** 64 hexadecimal digits. */
  public Secret of(DatabaseId database) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(key);
      byte[] digest =
          mac.doFinal(("ebb_admin/" + database.value()).getBytes(StandardCharsets.UTF_8));
      return new Secret(HexFormat.of().formatHex(digest));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has HmacSHA256", e);
    }
  }
}
