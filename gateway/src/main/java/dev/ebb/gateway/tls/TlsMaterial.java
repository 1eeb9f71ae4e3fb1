package dev.ebb.gateway.tls;

import java.security.cert.X509Certificate;
import java.util.List;

/**
 * What a gateway's TLS is made of.
 *
 * @param server what is shown to clients
 * @param clientAuthorities who signs the certificates of clients; empty where they show none
 */
public record TlsMaterial(ServerCertificate server, List<X509Certificate> clientAuthorities) {
  public TlsMaterial {
    clientAuthorities = List.copyOf(clientAuthorities);
  }
}
