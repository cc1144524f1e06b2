"""Every figure that the simulated cohort rests on, with unit, source and mark.

V: confirmed in the source named; R: recalled; D: derived from V figures; P: a proposal of ours. The
P figures are set so that the best possible ROC AUC lies between 0.72 and 0.82 on both tasks; they
say nothing of medicine.
"""

import numpy as np

# --- Families
# ------------------------------------------------------------------------------
FAMILIAL_SHARE = 0.111  # of families; stringent definition, long follow-up: PMC5961194 (V)
FAMILY_SIZES = (0.70, 0.22, 0.08)  # 1, 2, 3 sampled patients of a familial family (P)
WIDER_HISTORY = 0.04  # wider minus first and second degree, 11 % v 7 %: PMC10689005 (D)
UNKNOWN_HISTORY = 0.04  # (P)
SECOND_DEGREE = 0.29  # of familial: 5 % first degree, 7 % first or second: PMC10689005 (D)
PHENOCOPY = 0.02  # familial patient without the family's variant (P)
OTHER_DIAGNOSIS = 0.02  # pls, mimic, unaffected relative (P)

# --- Causes: share of familial and of sporadic patients
# --------------------------------------------------------------- First four: Zou 2017,
# doi:10.1136/jnnp-2016-315018, European; C9orf72 familial (V), the others (R). By Bayes' rule at 7
# % familial they give P(familial | carrier) 0.33, 0.48, 0.28, 0.41, against a population penetrance
# of 0.33 (0.21-0.53), 0.54 (0.33-0.89), 0.38 (0.21-0.70), 0.19 (0.13-0.28): J Med Genet 2024;61:294
# (V). The others: shares of the gene panel (R), split between familial and sporadic by us (P).
CAUSES: dict[str, tuple[float, float]] = {
    "C9orf72": (0.337, 0.051),
    "SOD1": (0.148, 0.012),
    "TARDBP": (0.042, 0.008),
    "FUS": (0.028, 0.003),
    "TBK1": (0.015, 0.008),
    "VCP": (0.012, 0.002),
    "UBQLN2": (0.010, 0.002),
    "OPTN": (0.010, 0.003),
    "PFN1": (0.008, 0.001),
    "ANXA11": (0.008, 0.005),
    "KIF5A": (0.007, 0.003),
    "VAPB": (0.004, 0.001),
}
NOVEL = 0.15  # causal variants that are in no table (P)
# Further causal allele; ">1 variant 13 %" of one clinic counts all classes: Shepheard 2021 (P)
SECOND_HIT = 0.012

# --- Age at onset, years: mean, SD, truncated to 18-90
# ----------------------------------------------------------------
AGE_RANGE = (18.0, 90.0)
AGE: dict[str, tuple[float, float]] = {
    "SOD1": (49.7, 12.3),  # Bali 2017 (V)
    "C9orf72": (58.0, 9.0),  # centred near 58: doi:10.1101/2025.08.08.25333050 (V), SD (P)
    "FUS": (40.0, 14.0),  # median 39, range 11-80: PMC6917314 (V), SD (P)
    "UBQLN2_male": (29.5, 11.9),  # doi:10.1101/2024.10.25.24316165 (V)
    "UBQLN2_female": (47.7, 13.4),  # same (V)
    "carrier": (57.0, 11.0),  # carriers are younger: Shepheard 2021 (V, direction); figures (P)
    "familial": (60.0, 11.0),  # unexplained familial, younger than sporadic (P)
    "sporadic_male": (63.5, 10.5),  # median 64.2 in Ireland: Neurology 1999;52:504 (V); SD (P)
    "sporadic_female": (66.5, 10.5),  # median 67.8 in Ireland: same (V); SD (P)
}

# --- Clinical
# ------------------------------------------------------------------------------
FEMALE = 1 / 2.25  # men to women 1.25: from incidence 3.0 and 2.4, PMC2850819 (D)
ONSET_SITES = {
    "bulbar": 0.221,
    "upper_limb": 0.36,
    "lower_limb": 0.36,
    "axial": 0.03,
    "respiratory": 0.029,
}
# Limb 72.0 %, bulbar 22.1 %, trunk or global 6.1 %: doi:10.1080/21678421.2019.1612435 (V); split of
# the limbs (P)
FTD = {"C9orf72": 0.15, "TBK1": 0.15, "other": 0.05}  # (P)
EL_ESCORIAL = {"definite": 0.30, "probable": 0.35, "probable_lab": 0.20, "possible": 0.15}  # (P)
RILUZOLE = 0.85  # 91 % in a trial: edaravone study 19 (V); a clinic less (P)
# Treatments that end the label; a trial takes younger patients. Start: equally likely on each day
# of a range (P)
TOFERSEN = 0.3  # of patients with a SOD1 finding in their files (P)
TRIAL_DRUG = {"under_65": 0.12, "other": 0.05}  # by age at onset (P)
TREATMENT_START = (30, 500)  # days (P)
TREATED_PACE = 0.6  # of the natural rate, since the start (P)
SITES = ("site1", "site2", "site3", "site4", "site5", "site6")
SITE_SHARES = (0.25, 0.20, 0.18, 0.15, 0.12, 0.10)  # (P)
ANCESTRY = {"EUR": 0.85, "EAS": 0.06, "AFR": 0.05, "SAS": 0.04}  # (P)

# --- Repeats, in repeat units
# ------------------------------------------------------------------------------
C9_NORMAL = {2: 0.50, 5: 0.16, 8: 0.20, 6: 0.05, 11: 0.04, 14: 0.03, 20: 0.015, 26: 0.005}  # (P)
ATXN2_NORMAL = {22: 0.90, 23: 0.06, 27: 0.03, 30: 0.01}  # normal 14-28: STRchive (V), shares (P)
ATXN2_RISK = 42 / 1330  # carriers of >= 31 units among Italian patients: PMC9606535 (V)
ATXN2_RISK_SIZES = (31, 32, 33)
SHORT_READ_SENSITIVITY = 0.97  # of an expansion (P)
STRADDLES = 0.05  # share of detected expansions whose interval reaches below 31 (P)
ONE_ALLELE = 0.01  # calls with one allele missing (P)
NO_REPEAT_CALL = 0.03  # at a site with repeat calling (P)
NO_REPEAT_SITE = "site6"  # calls no repeats at all (P)
LAB_TESTED = {
    True: 0.80,
    False: 0.35,
}  # C9orf72 tested by the laboratory, by reported family history (P)

# --- Alleles
# ------------------------------------------------------------------------------
UNC13A_C = 0.438  # frequency of rs12608932 C in ALS: PMID 40135631 (V)
TABLE_FREQUENCY = {
    "risk": 2e-3,
    "modifier": 0.36,
    "benign": 4e-3,
    "other_disease": 3e-4,
    "vus": 3e-4,
    "causal_recessive": 1e-3,
}
# (P; heterozygous carriers of recessive rows in anyone)
RARE_SITES, RARE_FREQUENCY = 6, 5e-4  # made-up sites a gene (P)
COMMON_SITES, COMMON_RANGE = 3, (0.05, 0.5)  # made-up sites a gene (P)
NO_CALL = 0.01  # of genotypes at made-up sites (P)

# --- Decline, points per month
# ------------------------------------------------------------------------------
PAST_MEDIAN, PAST_SD = (
    0.60,
    0.80,
)  # ln SD 0.90 in all (D), of which covariates take a part; median (D)
FUTURE_LOG_MEAN = (
    -0.40
)  # gives a mean future rate of about 1.0: PRO-ACT -0.99, Muscle Nerve 2018;57:937 (V)
FUTURE_ON_PAST = 0.28  # slope of ln future rate on ln past rate (P)
FUTURE_SD = 0.72  # of ln future rate, given the past (P)
# Shifts of ln rate; directions: bulbar HR 1.68, age HR 1.04 a year, C9orf72 HR 1.6, ATXN2 HR 3.6,
# UNC13A CC, FTD (V); p.Ala5Val declines 4 times as fast as all SOD1: Bali 2017 (V). Sizes on the
# rate (P).
SHIFTS = {
    "bulbar": 0.30,
    "age_decade": 0.10,
    "ftd": 0.25,
    "c9orf72": 0.25,
    "atxn2": 0.35,
    "unc13a_cc": 0.15,
    "ala5val": 1.2,
}
SHIFT_LASTS = 0.6  # share of a covariate's shift that the future rate keeps (P)
MEAN_AGE = 62.0
DISEASE_MONTHS = (
    15.0,
    -0.35,
    0.45,
)  # median at the past median rate; slope on ln rate; ln SD. Delay ~12 months (V), rest (P)
VISIT_SD = 1.6  # points, of a visit's total around the true course (P)
LARGEST_LOSS = 44.0  # points at index (P)
FIRST_LATE_VISIT, VISIT_EVERY, VISIT_JITTER, LAST_VISIT = 125.0, 91.0, 10.0, 520.0  # days (P)
EARLY_VISIT = (45, 88)  # days (P)
MISSED_VISIT = 0.10  # (P)
# Monthly hazards: exp(a + b ln future rate + c points lost); 34.1 % die within 12 months of the
# diagnosis (V, PMC4189670).
EVENT_HAZARD = (-6.0, 0.8, 0.065)  # (P)
DROP_OUT = (-5.0, 0.0, 0.02)  # (P)
EVENT_KINDS = {"death_days": 0.75, "niv_23h_days": 0.20, "tracheostomy_days": 0.05}  # (P)

# --- Biomarkers
# ------------------------------------------------------------------------------
# ln NfL: mean ln 60, SD 0.63 (D, from published series on PubMed Central); +3.1 % a year of age:
# doi:10.1016/j.cca.2022.08.017 (V); loadings give a Spearman correlation with the slope between
# 0.34 and 0.65 (V).
NFL_MEAN, NFL_AGE, NFL_PAST, NFL_FUTURE, NFL_SD = np.log(60.0), 0.0305, 0.16, 0.18, 0.44
ELLA_FACTOR = 1.25  # Ella over Simoa: not interchangeable (V), size (P)
ELLA_SITES, ELLA_LIMIT = ("site4", "site5"), 2.7  # lower limit of quantification (R)
SI_SITE = "site3"  # reports creatinine in umol/L and uric acid in mg/dL (P)
# mean for men, for women, SD, loading on the standardised ln future rate, share measured, log scale
PANEL: dict[str, tuple[float, float, float, float, float, bool]] = {
    "creatinine_serum": (
        0.80,
        0.62,
        0.15,
        -0.03,
        0.90,
        False,
    ),  # lower is worse: Chio 2014 (V); figures (P)
    "albumin_serum": (
        4.3,
        4.2,
        0.35,
        -0.05,
        0.85,
        False,
    ),  # cut-point 4.3: Chio 2014 (V); figures (P)
    "ck_serum": (
        np.log(230),
        np.log(130),
        0.60,
        0.0,
        0.80,
        True,
    ),  # inconsistent: PMC7792103 (V); figures (P)
    "crp_serum": (
        np.log(1.2),
        np.log(1.2),
        1.0,
        0.15,
        0.80,
        True,
    ),  # higher is worse: Lunetta 2017 (V); figures (P)
    "ferritin_serum": (
        np.log(180),
        np.log(95),
        0.70,
        0.10,
        0.60,
        True,
    ),  # HR 1.38: PMC7792103 (V); figures (P)
    "uric_acid_serum": (
        342.4,
        279.3,
        80.0,
        -8.0,
        0.75,
        False,
    ),  # men, women: PMC7991582 (V); loading (P)
    "weight": (
        80.0,
        66.0,
        12.0,
        -1.5,
        0.95,
        False,
    ),  # lower BMI is worse: PMC6276330 (V); figures (P)
    "fvc_pct": (
        97.0,
        97.0,
        13.0,
        -4.0,
        0.90,
        False,
    ),  # lower is worse (V); minus FVC_PER_POINT a lost point (P)
}
FVC_PER_POINT = 0.9
CRP_LIMIT = 0.3  # mg/L (R)
NFL_MEASURED = 0.75  # (P)
AFTER_LANDMARK, EARLY_REPEAT = 0.4, 0.25  # share measured again after and before the landmark (P)
