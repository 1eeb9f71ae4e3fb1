package dev.ebb.shared.scram;

import dev.ebb.shared.model.Secret;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * What clients of the WAL sender present as their password. It follows from the cluster secret, so
 * that every process of a cluster has the same; the cluster secret does not follow from it.
 */
public final class WalToken {
  private static final String ALGORITHM = "HmacSHA256";
  private static final byte[] MESSAGE =
      "ebb: token of the WAL sender".getBytes(StandardCharsets.UTF_8);

  private WalToken() {}

  /** 64 hexadecimal digits. */
  public static Secret of(Secret clusterSecret) {
    try {
      var mac = Mac.getInstance(ALGORITHM);
      mac.init(
          new SecretKeySpec(clusterSecret.reveal().getBytes(StandardCharsets.UTF_8), ALGORITHM));
      return new Secret(HexFormat.of().formatHex(mac.doFinal(MESSAGE)));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
