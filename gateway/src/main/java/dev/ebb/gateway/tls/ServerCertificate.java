package dev.ebb.gateway.tls;

import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;

/**
 * A private key with its certificate chain, the server's own first.
 *
 * @param key never logged
 */
public record ServerCertificate(PrivateKey key, List<X509Certificate> chain) {

  /**
   * Reads PEM files. Blocking.
   *
   * @throws IllegalArgumentException naming the file that cannot be used, and why
   */
  public static ServerCertificate read(Path certificateFile, Path keyFile) {
    return new ServerCertificate(readKey(keyFile), readChain(certificateFile));
  }

  static List<X509Certificate> readChain(Path file) {
    try (var in = Files.newInputStream(file)) {
      List<X509Certificate> chain =
          CertificateFactory.getInstance("X.509").generateCertificates(in).stream()
              .map(X509Certificate.class::cast)
              .toList();
      if (chain.isEmpty()) {
        throw new IllegalArgumentException("no certificate in " + file);
      }
      return chain;
    } catch (IOException | GeneralSecurityException e) {
      throw new IllegalArgumentException(
          "cannot read the TLS certificate " + file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Checks that the key is the certificate's: two files are never changed at one blow.
   *
   * @throws IllegalArgumentException where it is another's, or of a kind that cannot be used
   */
  void requirePair(Path certificateFile, Path keyFile) {
    var challenge = new byte[32];
    new SecureRandom().nextBytes(challenge);
    try {
      String algorithm =
          switch (key.getAlgorithm()) {
            case "EC" -> "SHA256withECDSA";
            case "RSA" -> "SHA256withRSA";
            default -> key.getAlgorithm();
          };
      var signature = Signature.getInstance(algorithm);
      signature.initSign(key);
      signature.update(challenge);
      byte[] signed = signature.sign();
      signature.initVerify(chain.getFirst().getPublicKey());
      signature.update(challenge);
      if (signature.verify(signed)) {
        return;
      }
    } catch (GeneralSecurityException e) {
      // Keys of two kinds end here as well. What it says could quote the key.
    }
    throw new IllegalArgumentException(
        "the TLS key " + keyFile + " is not that of the certificate " + certificateFile);
  }

  private static PrivateKey readKey(Path file) {
    String pem;
    try {
      pem = Files.readString(file);
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "cannot read the TLS key " + file + ": " + e.getMessage(), e);
    }
    try (var parser = new PEMParser(new StringReader(pem))) {
      Object found = parser.readObject();
      while (found != null && !(found instanceof PrivateKeyInfo || found instanceof PEMKeyPair)) {
        found = parser.readObject(); // such as the curve's parameters before an EC key
      }
      PrivateKeyInfo info =
          switch (found) {
            case PEMKeyPair pair -> pair.getPrivateKeyInfo();
            case PrivateKeyInfo plain -> plain;
            case null, default ->
                throw new IllegalArgumentException("no unencrypted private key (PEM) in " + file);
          };
      return new JcaPEMKeyConverter().getPrivateKey(info);
    } catch (IOException e) {
      // The cause could quote the key.
      throw new UncheckedIOException("not a private key in PEM: " + file, new IOException());
    }
  }

  @Override
  public String toString() {
    return "ServerCertificate[" + chain.getFirst().getSubjectX500Principal() + "]";
  }
}
