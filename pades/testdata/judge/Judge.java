import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.cert.CertificateFactory;
import java.util.*;
import org.apache.pdfbox.cos.*;
import org.apache.pdfbox.io.MemoryUsageSetting;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.PDSignature;
import org.bouncycastle.asn1.*;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.ess.*;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.ocsp.OCSPResp;
import org.bouncycastle.cms.*;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.*;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.TimeStampToken;

/**
 * Judges signed PDF files with PDFBox and BouncyCastle, which share no code with what is
 * tested. Reads one path a line and answers each with one line of JSON. Whether a
 * certificate is trusted is not asked: only whether bytes, values and bindings agree.
 */
public final class Judge {
    static final BouncyCastleProvider BC = new BouncyCastleProvider();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        for (String path; (path = in.readLine()) != null; ) {
            out.println(json(judge(path)));
        }
    }

    static Map<String, Object> judge(String path) {
        Map<String, Object> answer = new LinkedHashMap<>();
        List<Object> signatures = new ArrayList<>();
        answer.put("signatures", signatures);
        try (PDDocument doc = PDDocument.load(new File(path), "", MemoryUsageSetting.setupTempFileOnly())) {
            answer.put("pages", doc.getNumberOfPages());
            try (RandomAccessFile file = new RandomAccessFile(path, "r")) {
                for (PDSignature s : doc.getSignatureDictionaries()) {
                    signatures.add(signature(s, file));
                }
            }
            store(doc, answer);
        } catch (Throwable t) { // a broken file must not end the judge
            answer.put("error", t.toString());
        }
        return answer;
    }

    static Map<String, Object> signature(PDSignature s, RandomAccessFile file) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("subFilter", s.getSubFilter());
        try {
            int[] range = s.getByteRange();
            if (range.length != 4) {
                throw new IOException("byte range of " + range.length);
            }
            answer.put("end", (long) range[2] + range[3]);
            answer.put("covers", range[0] == 0 && (long) range[2] + range[3] == file.length());
            byte[] hole = read(file, range[1], range[2] - range[1]);
            if (hole[0] != '<' || hole[hole.length - 1] != '>') {
                throw new IOException("the byte range leaves out more or less than the value");
            }
            byte[] value = hex(hole);
            if (!Arrays.equals(value, contents(s))) {
                throw new IOException("the value is not what the byte range leaves out");
            }
            CMSTypedData covered = new Ranges(file, range);
            if ("ETSI.RFC3161".equals(s.getSubFilter())) {
                stamp(new TimeStampToken(new CMSSignedData(value)), covered);
                answer.put("stamp", "good");
            } else {
                answer.put("stamp", cms(new CMSSignedData(covered, value), s.getSubFilter()));
            }
            answer.put("good", true);
        } catch (Throwable t) {
            answer.put("good", false);
            answer.put("why", t.toString());
        }
        return answer;
    }

    /** What PDFBox itself took for the value. */
    static byte[] contents(PDSignature s) throws IOException {
        COSBase c = s.getCOSObject().getDictionaryObject(COSName.CONTENTS);
        if (!(c instanceof COSString)) {
            throw new IOException("no value");
        }
        return ((COSString) c).getBytes();
    }

    /** Checks value, digest and the binding to the certificate; tells of the timestamp. */
    static String cms(CMSSignedData data, String subFilter) throws Exception {
        if (data.getSignerInfos().size() != 1) {
            throw new CMSException(data.getSignerInfos().size() + " signers");
        }
        SignerInformation signer = data.getSignerInfos().iterator().next();
        X509CertificateHolder cert = certificate(data, signer);
        // By the key: with the certificate its validity today would be asked too.
        PublicKey key = new JcaX509CertificateConverter().setProvider(BC).getCertificate(cert).getPublicKey();
        if (!signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider(BC).build(key))) {
            throw new CMSException("the value is wrong");
        }
        if ("ETSI.CAdES.detached".equals(subFilter)) {
            bound(signer, cert);
        }
        AttributeTable unsigned = signer.getUnsignedAttributes();
        Attribute a = unsigned == null ? null : unsigned.get(PKCSObjectIdentifiers.id_aa_signatureTimeStampToken);
        if (a == null) {
            return "none";
        }
        byte[] token = a.getAttrValues().getObjectAt(0).toASN1Primitive().getEncoded();
        stamp(new TimeStampToken(new CMSSignedData(token)), new CMSProcessableByteArray(signer.getSignature()));
        return "good";
    }

    static X509CertificateHolder certificate(CMSSignedData data, SignerInformation signer) throws CMSException {
        @SuppressWarnings("unchecked")
        Collection<X509CertificateHolder> found = data.getCertificates().getMatches(signer.getSID());
        if (found.size() != 1) {
            throw new CMSException(found.size() + " certificates of the signer");
        }
        return found.iterator().next();
    }

    /** The ESS signing-certificate attribute must name the certificate (RFC 5035, RFC 2634). */
    static void bound(SignerInformation signer, X509CertificateHolder cert) throws Exception {
        AttributeTable signed = signer.getSignedAttributes();
        Attribute v2 = signed.get(PKCSObjectIdentifiers.id_aa_signingCertificateV2);
        Attribute v1 = signed.get(PKCSObjectIdentifiers.id_aa_signingCertificate);
        byte[] hash, want;
        if (v2 != null) {
            ESSCertIDv2 id = SigningCertificateV2.getInstance(v2.getAttributeValues()[0]).getCerts()[0];
            want = id.getCertHash();
            hash = digest(id.getHashAlgorithm(), cert.getEncoded());
        } else if (v1 != null) {
            want = SigningCertificate.getInstance(v1.getAttributeValues()[0]).getCerts()[0].getCertHash();
            hash = MessageDigest.getInstance("SHA-1").digest(cert.getEncoded());
        } else {
            throw new CMSException("nothing binds the certificate");
        }
        if (!Arrays.equals(hash, want)) {
            throw new CMSException("bound to another certificate");
        }
    }

    /** The token's own signature and binding, and that it speaks of these bytes. */
    static void stamp(TimeStampToken token, CMSTypedData over) throws Exception {
        SignerInformation signer = token.toCMSSignedData().getSignerInfos().iterator().next();
        X509CertificateHolder cert = certificate(token.toCMSSignedData(), signer);
        token.validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider(BC).build(cert));
        DigestCalculator d = new JcaDigestCalculatorProviderBuilder().setProvider(BC).build()
            .get(token.getTimeStampInfo().getHashAlgorithm());
        try (OutputStream o = d.getOutputStream()) {
            over.write(o);
        }
        if (!Arrays.equals(d.getDigest(), token.getTimeStampInfo().getMessageImprintDigest())) {
            throw new CMSException("the timestamp is of something else");
        }
    }

    static byte[] digest(AlgorithmIdentifier alg, byte[] b) throws Exception {
        DigestCalculator d = new JcaDigestCalculatorProviderBuilder().setProvider(BC).build().get(alg);
        d.getOutputStream().write(b);
        return d.getDigest();
    }

    /** Counts what the security store holds; an entry that is not one is an error. */
    static void store(PDDocument doc, Map<String, Object> answer) throws Exception {
        COSBase b = doc.getDocumentCatalog().getCOSObject().getDictionaryObject("DSS");
        if (!(b instanceof COSDictionary)) {
            return;
        }
        COSDictionary dss = (COSDictionary) b;
        for (byte[] cert : streams(dss, "Certs")) {
            new X509CertificateHolder(cert);
        }
        for (byte[] ocsp : streams(dss, "OCSPs")) {
            new OCSPResp(ocsp).getResponseObject();
        }
        for (byte[] crl : streams(dss, "CRLs")) {
            CertificateFactory.getInstance("X.509", BC).generateCRL(new ByteArrayInputStream(crl));
        }
        COSBase vri = dss.getDictionaryObject("VRI");
        answer.put("dss", Map.of("certs", streams(dss, "Certs").size(), "ocsps", streams(dss, "OCSPs").size(),
            "crls", streams(dss, "CRLs").size(), "vri", vri instanceof COSDictionary ? ((COSDictionary) vri).size() : 0));
    }

    static List<byte[]> streams(COSDictionary dss, String name) throws IOException {
        List<byte[]> all = new ArrayList<>();
        COSBase b = dss.getDictionaryObject(name);
        if (b instanceof COSArray) {
            for (int i = 0; i < ((COSArray) b).size(); i++) {
                try (InputStream in = ((COSStream) ((COSArray) b).getObject(i)).createInputStream()) {
                    all.add(in.readAllBytes());
                }
            }
        }
        return all;
    }

    /** Two ranges of a file, read in pieces. */
    static final class Ranges implements CMSTypedData {
        final RandomAccessFile file;
        final int[] range;

        Ranges(RandomAccessFile file, int[] range) {
            this.file = file;
            this.range = range;
        }

        @Override public void write(OutputStream out) throws IOException {
            byte[] piece = new byte[1 << 16];
            for (int i = 0; i < 4; i += 2) {
                file.seek(range[i]);
                for (int left = range[i + 1]; left > 0; ) {
                    int n = Math.min(left, piece.length);
                    file.readFully(piece, 0, n);
                    out.write(piece, 0, n);
                    left -= n;
                }
            }
        }

        @Override public ASN1ObjectIdentifier getContentType() {
            return PKCSObjectIdentifiers.data;
        }

        @Override public Object getContent() {
            return file;
        }
    }

    static byte[] read(RandomAccessFile file, int at, int n) throws IOException {
        if (n < 2 || n > 64 << 20) {
            throw new IOException("a hole of " + n + " bytes");
        }
        byte[] b = new byte[n];
        file.seek(at);
        file.readFully(b);
        return b;
    }

    static byte[] hex(byte[] hole) throws IOException {
        return COSString.parseHex(new String(hole, 1, hole.length - 2, StandardCharsets.ISO_8859_1)).getBytes();
    }

    static String json(Object v) {
        if (v instanceof Map) {
            StringJoiner j = new StringJoiner(",", "{", "}");
            ((Map<?, ?>) v).forEach((k, x) -> j.add(json(k) + ":" + json(x)));
            return j.toString();
        }
        if (v instanceof List) {
            StringJoiner j = new StringJoiner(",", "[", "]");
            ((List<?>) v).forEach(x -> j.add(json(x)));
            return j.toString();
        }
        if (v == null || v instanceof Number || v instanceof Boolean) {
            return String.valueOf(v);
        }
        StringBuilder b = new StringBuilder("\"");
        for (char c : v.toString().toCharArray()) {
            b.append(c < ' ' || c == '"' || c == '\\' || c > '~' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
        }
        return b.append('"').toString();
    }
}
