import eu.europa.esig.dss.enumerations.*;
import eu.europa.esig.dss.model.*;
import eu.europa.esig.dss.pades.PAdESSignatureParameters;
import eu.europa.esig.dss.pades.signature.PAdESService;
import eu.europa.esig.dss.service.crl.OnlineCRLSource;
import eu.europa.esig.dss.service.http.commons.TimestampDataLoader;
import eu.europa.esig.dss.service.ocsp.OnlineOCSPSource;
import eu.europa.esig.dss.service.tsp.OnlineTSPSource;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.simplereport.jaxb.XmlTimestamp;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.*;

/**
 * Judges signed files with EU DSS under its default policy; one JSON line a file, see judge.go.
 *
 * Arguments: the trusted root and the address of the clock service. Each line of the input is
 * a file, "online" when the responders may be asked, and a moment to judge at or nothing; or
 * a file, "extend", a level and where to put the outcome.
 */
public class Judge {
    static CommonTrustedCertificateSource roots = new CommonTrustedCertificateSource();
    static String clock;

    public static void main(String[] args) throws Exception {
        roots.addCertificate(DSSUtils.loadCertificate(new File(args[0])));
        clock = args[1];
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String[] order = line.split("\t", -1);
            try {
                if (order[1].equals("extend")) {
                    extend(order[0], order[2], order[3]);
                } else {
                    System.out.println(judge(order[0], order[1].equals("online"), order[2]));
                }
            } catch (Exception e) {
                System.out.println("{\"file\":" + quote(order[0]) + ",\"error\":" + quote(String.valueOf(e)) + "}");
            }
        }
    }

    static CommonCertificateVerifier verifier(boolean online) {
        var v = new CommonCertificateVerifier();
        v.setTrustedCertSources(roots);
        v.setAIASource(null);
        if (online) {
            v.setCrlSource(new OnlineCRLSource());
            v.setOcspSource(new OnlineOCSPSource());
        }
        return v;
    }

    static String judge(String file, boolean online, String at) throws Exception {
        var validator = SignedDocumentValidator.fromDocument(new FileDocument(file));
        validator.setCertificateVerifier(verifier(online));
        if (!at.isEmpty()) {
            validator.setValidationTime(Date.from(Instant.parse(at)));
        }
        SimpleReport r = validator.validateDocument().getSimpleReport();
        var signatures = new StringJoiner(",", "[", "]");
        for (String id : r.getSignatureIdList()) {
            String why = r.getIndication(id) == Indication.TOTAL_PASSED ? "" : trouble(r, id);
            for (XmlTimestamp t : r.getSignatureTimestamps(id)) {
                if (t.getIndication() != Indication.PASSED) {
                    why += "timestamp: " + trouble(r, t.getId());
                }
            }
            String level = r.getSignatureFormat(id).toString().replace("PAdES-BASELINE-", "B-");
            signatures.add("{\"field\":" + quote(id) + ",\"kind\":\"signature\",\"level\":" + quote(level) + ",\"why\":" + quote(why) + "}");
        }
        return "{\"file\":" + quote(file) + ",\"signatures\":" + signatures + "}";
    }

    static String trouble(SimpleReport r, String id) {
        var s = new StringBuilder(r.getIndication(id) + "/" + r.getSubIndication(id) + " ");
        r.getAdESValidationErrors(id).forEach(m -> s.append(m.getValue()).append(" "));
        return s.toString();
    }

    static void extend(String file, String level, String to) throws Exception {
        var service = new PAdESService(verifier(true));
        service.setTspSource(new OnlineTSPSource(clock, new TimestampDataLoader()));
        var p = new PAdESSignatureParameters();
        p.setSignatureLevel(SignatureLevel.valueByName("PAdES-BASELINE-" + level.substring(2)));
        service.extendDocument(new FileDocument(file), p).save(to);
        System.out.println("{\"file\":" + quote(to) + "}");
    }

    static String quote(String s) {
        return "\"" + s.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}", " ") + "\"";
    }
}
