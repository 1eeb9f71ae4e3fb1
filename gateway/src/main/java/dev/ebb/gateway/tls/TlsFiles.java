package dev.ebb.gateway.tls;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The PEM files that a gateway's TLS is made of.
 *
 * @param clientCa certificates that sign those of clients; null where clients show none
 */
public record TlsFiles(Path certificate, Path key, @Nullable Path clientCa) {

  /**
   * Reads them. Blocking.
   *
   * @throws IllegalArgumentException naming the file that cannot be used, and why
   */
  public TlsMaterial read() {
    ServerCertificate server = ServerCertificate.read(certificate, key);
    server.requirePair(certificate, key);
    return new TlsMaterial(
        server, clientCa == null ? List.of() : ServerCertificate.readChain(clientCa));
  }

  /** What they hold, told in a few bytes; null where one cannot be read now. Blocking. */
  byte @Nullable [] fingerprint() {
    try {
      var digest = MessageDigest.getInstance("SHA-256");
      for (Path file : Stream.of(certificate, key, clientCa).filter(f -> f != null).toList()) {
        byte[] content = Files.readAllBytes(file);
        digest.update(
            (file + "\0" + content.length + "\0")
                .getBytes(java.nio.charset.StandardCharsets.UTF_8));
        digest.update(content);
      }
      return digest.digest();
    } catch (IOException e) {
      return null;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
