package dev.ebb.shared.model;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A block of IP addresses: {@code 10.0.0.0/8}, {@code 2001:db8::/32}; an address alone is a block
 * of one. Prints as it is parsed again. An IPv4 address that came over IPv6 ({@code
 * ::ffff:10.0.0.1}) is the IPv4 address.
 */
public final class Cidr {
  /** Nothing that a resolver would have to be asked for. */
  private static final Pattern FORM =
      Pattern.compile("((?:\\d{1,3}\\.){3}\\d{1,3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?:/(\\d{1,3}))?");

  private final byte[] address;
  private final int prefix;

  private Cidr(byte[] address, int prefix) {
    this.address = address;
    this.prefix = prefix;
  }

  /**
   * Reads one.
   *
   * @throws IllegalArgumentException where it is no such block, with what to write instead
   */
  public static Cidr parse(String text) {
    var parts = FORM.matcher(text.strip());
    byte[] address = parts.matches() ? bytes(parts.group(1)) : null;
    int bits = address == null ? 0 : address.length * Byte.SIZE;
    int prefix =
        address == null || parts.group(2) == null ? bits : Integer.parseInt(parts.group(2));
    if (address == null || prefix > bits) {
      throw new IllegalArgumentException(
          "\""
              + Names.printable(text)
              + "\" is no block of addresses such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32");
    }
    var block = new Cidr(masked(address, prefix), prefix);
    if (!Arrays.equals(block.address, address)) {
      throw new IllegalArgumentException(
          "\"" + text.strip() + "\" has bits behind its prefix: write " + block);
    }
    return block;
  }

  private static byte @Nullable [] bytes(String literal) {
    try {
      InetAddress address = InetAddress.ofLiteral(literal);
      boolean isFour = literal.indexOf(':') < 0;
      // One of ::ffff:0:0/96 would be turned into four bytes, behind which no prefix fits.
      return isFour == address instanceof Inet4Address ? address.getAddress() : null;
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private static byte[] masked(byte[] address, int prefix) {
    byte[] masked = address.clone();
    for (int bit = prefix; bit < masked.length * Byte.SIZE; bit++) {
      masked[bit / Byte.SIZE] &= (byte) ~(0x80 >>> bit % Byte.SIZE);
    }
    return masked;
  }

  /** The block of that length which an address lies in; the whole address where it is shorter. */
  public static Cidr around(InetAddress address, int prefix) {
    byte[] bytes = address.getAddress();
    int bits = Math.min(prefix, bytes.length * Byte.SIZE);
    return new Cidr(masked(bytes, bits), bits);
  }

  /** Whether an address lies in it. */
  public boolean contains(InetAddress candidate) {
    byte[] bytes = candidate.getAddress();
    return bytes.length == address.length && Arrays.equals(masked(bytes, prefix), address);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Cidr that
        && prefix == that.prefix
        && Arrays.equals(address, that.address);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(address) + prefix;
  }

  @Override
  public String toString() {
    try {
      String text = InetAddress.getByAddress(address).getHostAddress();
      return prefix == address.length * Byte.SIZE ? text : text + "/" + prefix;
    } catch (java.net.UnknownHostException e) {
      throw new IllegalStateException("an address has 4 or 16 bytes", e);
    }
  }
}
