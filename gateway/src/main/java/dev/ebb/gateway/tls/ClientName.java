package dev.ebb.gateway.tls;

import java.security.cert.X509Certificate;
import java.util.Optional;
import org.bouncycastle.asn1.ASN1String;
import org.bouncycastle.asn1.x500.RDN;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.style.BCStyle;

/** Whom a client's certificate is made out to. */
public final class ClientName {
  private ClientName() {}

  /**
   * The common name; empty where there is none, more than one, or one with a zero byte, behind
   * which other programs would not look.
   */
  public static Optional<String> of(X509Certificate certificate) {
    RDN[] names =
        X500Name.getInstance(certificate.getSubjectX500Principal().getEncoded())
            .getRDNs(BCStyle.CN);
    if (names.length != 1
        || names[0].isMultiValued()
        || !(names[0].getFirst().getValue() instanceof ASN1String name)
        || name.getString().indexOf('\0') >= 0) {
      return Optional.empty();
    }
    return Optional.of(name.getString());
  }
}
