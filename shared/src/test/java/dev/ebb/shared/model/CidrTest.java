package dev.ebb.shared.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetAddress;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CidrTest {
  @ParameterizedTest
  @CsvSource({
    "10.0.0.0/8,10.255.255.255,true",
    "10.0.0.0/8,11.0.0.0,false",
    "0.0.0.0/0,192.0.2.1,true",
    "0.0.0.0/0,::1,false",
    "::/0,192.0.2.1,false",
    "::/0,2001:db8::1,true",
    "192.0.2.7,192.0.2.7,true",
    "192.0.2.7,192.0.2.6,false",
    "192.0.2.128/25,192.0.2.127,false",
    "192.0.2.128/25,192.0.2.128,true",
    "192.0.2.6/31,::ffff:192.0.2.7,true",
    "2001:db8::/33,2001:db8:7fff::1,true",
    "2001:db8::/33,2001:db8:8000::1,false",
    "::1,::1,true"
  })
  void blockContainsWhatSharesItsPrefix(String block, String address, boolean contains) {
    assertThat(Cidr.parse(block).contains(InetAddress.ofLiteral(address))).isEqualTo(contains);
  }

  @ParameterizedTest
  @ValueSource(strings = {"10.0.0.0/8", "192.0.2.7", "0.0.0.0/0", "2001:db8:0:0:0:0:0:0/32"})
  void blockPrintsAsItIsParsed(String text) {
    assertThat(Cidr.parse(text)).hasToString(text).isEqualTo(Cidr.parse(text));
    assertThat(Cidr.parse(text)).hasSameHashCodeAs(Cidr.parse(text));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "/8",
        "localhost",
        "10.0.0.0/33",
        "::/129",
        "10.0.0/8",
        "10.1/16",
        "256.0.0.1",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "::ffff:10.0.0.1",
        "fe80::1%lo",
        "1.2.3.4.5",
        "12"
      })
  void whatIsNoBlockIsRefused(String text) {
    assertThatThrownBy(() -> Cidr.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no block of addresses");
  }

  @Test
  void bitsBehindThePrefixAreRefusedWithWhatToWrite() {
    assertThatThrownBy(() -> Cidr.parse("10.1.2.3/8")).hasMessageContaining("write 10.0.0.0/8");
  }
}
