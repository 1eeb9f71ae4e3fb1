package dev.ebb.gateway.tls;

import java.io.IOException;
import java.io.StringWriter;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.jspecify.annotations.Nullable;

/** The certificate that a gateway makes for itself where none is configured. */
public final class SelfSigned {
  static final String CERTIFICATE_FILE = "server.crt";
  static final String KEY_FILE = "server.key";
  private static final Duration LIFETIME = Duration.ofDays(3650);
  private static final Duration CLOCK_SKEW = Duration.ofDays(1);

  private SelfSigned() {}

  /**
   * Finds the certificate of an earlier start in {@code directory}, or makes one: EC P-256, for
   * localhost, the loopback addresses and the machine's name; the key file has mode 0600. Blocking.
   *
   * @throws IllegalArgumentException where the directory cannot be used, with the reason
   */
  public static TlsFiles findOrCreate(Path directory, @Nullable Path clientCa) {
    Path certificate = directory.resolve(CERTIFICATE_FILE);
    Path key = directory.resolve(KEY_FILE);
    try {
      if (!Files.exists(certificate) || !Files.exists(key)) {
        create(directory, certificate, key);
      }
    } catch (IOException | GeneralSecurityException | OperatorCreationException e) {
      throw new IllegalArgumentException(
          "cannot make a TLS certificate in " + directory + ": " + e.getMessage(), e);
    }
    return new TlsFiles(certificate, key, clientCa);
  }

  private static void create(Path directory, Path certificate, Path key)
      throws IOException, GeneralSecurityException, OperatorCreationException {
    Files.createDirectories(directory);
    var generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    KeyPair pair = generator.generateKeyPair();
    write(key, pem(new JcaPKCS8Generator(pair.getPrivate(), null)), "rw-------");
    write(certificate, pem(certify(pair)), "rw-r--r--");
  }

  private static X509CertificateHolder certify(KeyPair pair)
      throws IOException, OperatorCreationException {
    var subject = new X500Name("CN=Ebb gateway (self-signed)");
    Instant now = Instant.now();
    return new JcaX509v3CertificateBuilder(
            subject,
            new BigInteger(127, new SecureRandom()),
            Date.from(now.minus(CLOCK_SKEW)),
            Date.from(now.plus(LIFETIME)),
            subject,
            pair.getPublic())
        .addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
        .addExtension(
            Extension.extendedKeyUsage, false, new ExtendedKeyUsage(KeyPurposeId.id_kp_serverAuth))
        .addExtension(
            Extension.subjectAlternativeName,
            false,
            new GeneralNames(names().toArray(GeneralName[]::new)))
        .build(new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate()));
  }

  private static List<GeneralName> names() {
    var names = new ArrayList<GeneralName>();
    names.add(new GeneralName(GeneralName.dNSName, "localhost"));
    names.add(new GeneralName(GeneralName.iPAddress, "127.0.0.1"));
    names.add(new GeneralName(GeneralName.iPAddress, "::1"));
    try {
      String machine = InetAddress.getLocalHost().getHostName();
      if (machine.matches("[A-Za-z0-9.-]+") && !machine.equals("localhost")) {
        names.add(new GeneralName(GeneralName.dNSName, machine));
      }
    } catch (IOException e) {
      // A machine without a name: the certificate does without it.
    }
    return names;
  }

  private static String pem(Object content) throws IOException {
    var out = new StringWriter();
    try (var writer = new JcaPEMWriter(out)) {
      writer.writeObject(content);
    }
    return out.toString();
  }

  /** The file has its permissions before it has its content, and appears whole or not at all. */
  private static void write(Path file, String content, String permissions) throws IOException {
    Path part = file.resolveSibling(file.getFileName() + ".part");
    Files.deleteIfExists(part);
    Files.createFile(
        part, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions)));
    Files.write(part, content.getBytes(StandardCharsets.UTF_8));
    Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
