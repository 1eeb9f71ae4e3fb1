package dev.ebb.gateway;

import java.io.IOException;
import java.io.StringWriter;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** Certificates as an authority makes them, with their keys. */
public record Certificates(X509Certificate certificate, PrivateKey key) {

  /** An authority: signs others. */
  public static Certificates authority(String name) {
    return make("CN=" + name, null, "EC", "SHA256withECDSA", true);
  }

  /** A certificate that signs itself, of a key fit for the signature's algorithm. */
  public static Certificates selfSigned(String signature) {
    String key =
        signature.equals("Ed25519") ? "Ed25519" : signature.contains("ECDSA") ? "EC" : "RSA";
    return make("CN=localhost", null, key, signature, false);
  }

  /** A certificate for a subject such as {@code CN=app}. */
  public Certificates issue(String subject) {
    return make(subject, this, "EC", "SHA256withECDSA", false);
  }

  private static Certificates make(
      String subject,
      @org.jspecify.annotations.Nullable Certificates issuer,
      String keyAlgorithm,
      String signature,
      boolean isAuthority) {
    try {
      var generator = KeyPairGenerator.getInstance(keyAlgorithm);
      switch (keyAlgorithm) {
        case "EC" -> generator.initialize(new ECGenParameterSpec("secp256r1"));
        case "RSA" -> generator.initialize(2048);
        default -> {}
      }
      KeyPair pair = generator.generateKeyPair();
      Instant now = Instant.now();
      var name = new X500Name(subject);
      var builder =
          new JcaX509v3CertificateBuilder(
                  issuer == null
                      ? name
                      : X500Name.getInstance(
                          issuer.certificate.getSubjectX500Principal().getEncoded()),
                  new BigInteger(64, new SecureRandom()),
                  Date.from(now.minus(Duration.ofDays(1))),
                  Date.from(now.plus(Duration.ofDays(2))),
                  name,
                  pair.getPublic())
              .addExtension(Extension.basicConstraints, true, new BasicConstraints(isAuthority))
              .addExtension(
                  Extension.subjectAlternativeName,
                  false,
                  new GeneralNames(
                      new GeneralName[] {
                        new GeneralName(GeneralName.dNSName, "localhost"),
                        new GeneralName(
                            GeneralName.iPAddress,
                            InetAddress.getLoopbackAddress().getHostAddress())
                      }));
      var holder =
          builder.build(
              new JcaContentSignerBuilder(signature)
                  .setProvider(new BouncyCastleProvider())
                  .build(issuer == null ? pair.getPrivate() : issuer.key));
      return new Certificates(
          new JcaX509CertificateConverter().getCertificate(holder), pair.getPrivate());
    } catch (IOException | GeneralSecurityException | OperatorCreationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Writes the certificate, PEM, and answers the file. */
  public Path writeCertificate(Path file) {
    return write(file, certificate);
  }

  /** Writes the key, PEM, readable by its owner only. */
  public Path writeKey(Path file) {
    try {
      write(file, new JcaPKCS8Generator(key, null));
      return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Path write(Path file, Object content) {
    try {
      var out = new StringWriter();
      try (var writer = new JcaPEMWriter(out)) {
        writer.writeObject(content);
      }
      return Files.writeString(file, out.toString());
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }
}
